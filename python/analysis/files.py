"""Writing results into a folder that anyone may have made, and text that is safe where it goes.

An experiment's folder may come from a stranger and hold links to the reader's own files. So the
folder of results is opened once, nothing in it is reached through a link, drafts have random names
and are made anew, and whatever has a result's name without being a plain file is refused by name.
"""

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.settings import RequestError

#: How drafts' names begin, as the host's do: it clears away what a killed one left.
_DRAFT = ".joulerace-"

#: Characters that act instead of being shown: controls, direction marks, what takes no space.
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)

#: What makes a spreadsheet take a cell for a formula, behind what it passes over.
_RUNS = re.compile(r"[\s'\"]*[=+\-@＝＋－＠]")


def write(path: Path, content: str | bytes) -> None:
    """Replace a file by a whole new one; a reader never sees half of it.

    Text is cleaned of what acts, and the user's home folder is written ``~``. The folder must be
    there and be no link; the file's mode follows the umask.

    Raises:
        RequestError: a link or something else that is no file has the name.
    """
    data = content if isinstance(content, bytes) else private(visible(content)).encode("utf-8")
    with _folder(path.parent) as folder:
        _expect(path, folder, stat.S_ISREG)
        draft = _DRAFT + secrets.token_hex(16)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o666, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(draft, dir_fd=folder)
            raise


def make_folder(path: Path) -> None:
    """Make a folder in a folder of results, where there is none.

    Raises:
        RequestError: a link or something else that is no folder has the name.
    """
    with _folder(path.parent) as parent:
        if not _expect(path, parent, stat.S_ISDIR):
            os.mkdir(path.name, dir_fd=parent)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """The folder ``path``, open; its last part is no link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    above = os.open(path.parent, flags)
    try:
        _expect(path, above, stat.S_ISDIR)
        folder = os.open(path.name or ".", flags | os.O_NOFOLLOW, dir_fd=above)
    finally:
        os.close(above)
    try:
        yield folder
    finally:
        os.close(folder)


def _expect(path: Path, folder: int, wanted: Any) -> bool:
    """Whether ``path`` is there, in the open ``folder``; anything but what is wanted is refused."""
    try:
        mode = os.stat(path.name or ".", dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if wanted(mode):
        return True
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFDIR: "a folder",
    }
    what = kinds.get(stat.S_IFMT(mode), "no plain file or folder")
    raise RequestError(f"output: {path} is {what}; remove it, or name another folder")


def visible(text: str) -> str:
    """The text with what acts (escape sequences, carriage returns, marks) shown instead."""
    return _ACTS.sub(lambda c: f"\\u{{{ord(c.group()):x}}}", text)


def cell(text: str) -> str:
    """A cell of text for a CSV file: what a spreadsheet would run stands behind an apostrophe."""
    return "'" + text if _RUNS.match(text) else text


def private(text: str) -> str:
    """The text with this user's home folder, which holds the user's name, written ``~``."""
    home = os.path.expanduser("~").rstrip("/")
    if len(home) < 2 or home not in text:
        return text
    part = r"\w.~+@%-"
    begins = rf"(?:^|(?<=[^{part}/]))(/*)"
    return re.sub(rf"{begins}{re.escape(home)}(?![{part}])", r"\1~", text, flags=re.MULTILINE)
