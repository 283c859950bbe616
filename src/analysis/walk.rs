//! Which files below a folder hold samples.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How many levels of folders are searched.
const DEEPEST: usize = 24;

/// The most files that are looked at; no study has more.
const MOST_FILES: usize = 200_000;

/// How much of a file is looked at to see whether it holds samples, in bytes.
const HEAD: usize = 64 * 1024;

/// How many lines may come before the header: what a program printed into the file.
const LINES_BEFORE_HEADER: usize = 200;

/// Folders that packages bring along; nobody keeps measurements in them.
const FOREIGN: [&str; 3] = ["node_modules", "site-packages", "__pycache__"];

/// Something that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// What.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
}

/// A file with samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub path: PathBuf,
    /// Below the folder that was searched, with `/` between the names.
    pub relative: String,
    /// The file's length and a hash of its first [`HEAD`] bytes: what copies share.
    pub head: (u64, u64),
}

/// Everything below a folder.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub files: Vec<Found>,
    pub ignored: Vec<Ignored>,
}

/// Finds the files of samples below `root`, at any depth, links followed once. Passed over are hidden
/// files, folders for which `skip` has a reason (an empty one is not told), files that `exclude` matches,
/// and CSV files that hold something else.
///
/// # Errors
///
/// `root` cannot be read. A folder below it that cannot be read is listed in [`Walk::ignored`].
pub(super) fn walk(
    root: &Path,
    skip: impl Fn(&Path) -> Option<String>,
    exclude: impl Fn(&str) -> bool,
) -> io::Result<Walk> {
    let mut walk = Walk::default();
    let mut seen = BTreeSet::new();
    let mut left = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = left.pop() {
        if folder.canonicalize().is_ok_and(|real| !seen.insert(real)) {
            walk.pass_over(folder, "leads to a folder that is searched already".into());
            continue;
        }
        let entries = match sorted(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(error) => {
                walk.pass_over(folder, format!("cannot be read ({error})"));
                continue;
            }
        };
        let mut folders = Vec::new();
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let relative = relative(root, &path);
            if path.is_dir() {
                if FOREIGN.contains(&&*name) {
                    continue;
                }
                if let Some(why) = skip(&path) {
                    if !why.is_empty() {
                        walk.pass_over(path, why);
                    }
                } else if exclude(&relative) {
                    walk.pass_over(path, EXCLUDED.into());
                } else if depth == DEEPEST {
                    walk.pass_over(path, format!("lies more than {DEEPEST} folders deep"));
                } else {
                    folders.push((path, depth + 1));
                }
            } else if is_csv(&path) {
                walk.take(path, relative, &exclude);
            }
        }
        // The last one pushed is searched first.
        left.extend(folders.into_iter().rev());
    }
    walk.files.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(walk)
}

/// Why a CSV file that holds something else is passed over.
pub(super) const NO_SAMPLES: &str =
    "no file of samples: neither Time nor energy in its first lines";

pub(super) const EXCLUDED: &str = "left out by --exclude";

impl Walk {
    fn pass_over(&mut self, file: PathBuf, reason: String) {
        self.ignored.push(Ignored { file, reason });
    }

    fn take(&mut self, path: PathBuf, relative: String, exclude: &impl Fn(&str) -> bool) {
        if exclude(&relative) {
            return self.pass_over(path, EXCLUDED.into());
        }
        if self.files.len() == MOST_FILES {
            return self.pass_over(path, format!("is beyond the first {MOST_FILES} files"));
        }
        // Reading a file that cannot be opened will say what is wrong.
        let head = head(&path).unwrap_or_default();
        if !holds_samples(&head.1) {
            return self.pass_over(path, NO_SAMPLES.into());
        }
        let mut hasher = DefaultHasher::new();
        head.1.hash(&mut hasher);
        self.files.push(Found { path, relative, head: (head.0, hasher.finish()) });
    }
}

/// The length of a file and how it begins.
fn head(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut head = Vec::with_capacity(HEAD.min(length as usize));
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok((length, head))
}

/// Whether what begins like this may hold samples. An empty file counts as a trial whose meter wrote nothing.
fn holds_samples(head: &[u8]) -> bool {
    // In UTF-16 every second byte of plain letters is zero.
    let plain: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&plain);
    // A file that is not text was damaged; it counts as a trial, too.
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
        return true;
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    if lines.peek().is_none() {
        return true;
    }
    lines.take(LINES_BEFORE_HEADER).any(|line| {
        let has =
            |name: &str| line.split([',', ';', '\t']).any(|f| f.trim_matches(WRAPPING) == name);
        let energy = line.contains("_ENERGY (") || line.contains("_POWER (");
        // A table of results may call its columns as samples are called; it has no time of each row.
        has("Delta") && has("Time") || energy && (has("Delta") || has("Time"))
    })
}

/// What may stand around a column's name.
const WRAPPING: [char; 4] = ['"', ' ', '\u{feff}', '\u{fffd}'];

fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) && path.is_file()
}

/// A path below `root`, with `/` on every system.
pub(super) fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    // A table that was named itself.
    let own = path.file_name().map(Path::new).filter(|_| below.as_os_str().is_empty());
    let below = own.unwrap_or(below);
    let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

/// What lies in a folder, by name.
pub(super) fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &str = "Delta,Time,CPU_ENERGY (J)\n";

    fn found(dir: &Path, exclude: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
        let walk = walk(dir, |_| None, exclude).unwrap();
        let ignored = walk.ignored.iter().map(|i| relative(dir, &i.file)).collect();
        (walk.files.into_iter().map(|f| f.relative).collect(), ignored)
    }

    fn put(dir: &Path, file: &str, content: impl AsRef<[u8]>) {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn a_table_with_the_names_of_samples_is_none() {
        let dir = tempfile::tempdir().unwrap();
        put(
            dir.path(),
            "run_table.csv",
            "__run_id,__done,model,PACKAGE_ENERGY (J)\nrun_0,DONE,x,5\n",
        );
        put(dir.path(), "s.csv", SAMPLES);
        let (files, ignored) = found(dir.path(), |_| false);
        assert_eq!((files, ignored), (vec!["s.csv".to_owned()], vec!["run_table.csv".to_owned()]));
    }

    #[test]
    fn samples_are_told_from_other_tables_by_their_first_lines() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "deep/er/down/a_1.csv", SAMPLES);
        put(dir.path(), "chatter.csv", format!("Starting up\nready, go\n{SAMPLES}"));
        let wide: Vec<u8> = SAMPLES.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(dir.path(), "wide.CSV", [&[0xff, 0xfe], &wide[..]].concat());
        put(dir.path(), "nothing.csv", "");
        put(dir.path(), "means.csv", "group,mean,sd\na,1,2\n");
        put(dir.path(), "times.csv", "Time,users\n1,2\n");
        put(dir.path(), ".hidden/a.csv", SAMPLES);
        put(dir.path(), "a.txt", SAMPLES);
        let (files, ignored) = found(dir.path(), |_| false);
        assert_eq!(files, ["chatter.csv", "deep/er/down/a_1.csv", "nothing.csv", "wide.CSV"]);
        assert_eq!(ignored, ["means.csv", "times.csv"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_circle_of_links_ends() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "a/b/x_1.csv", SAMPLES);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/b/up")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("a/b"), dir.path().join("twice")).unwrap();
        let (files, ignored) = found(dir.path(), |_| false);
        assert_eq!(files, ["a/b/x_1.csv"]);
        assert_eq!(ignored, ["a/b/up", "twice"]);
    }

    #[test]
    fn what_is_excluded_is_told() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "a/x_1.csv", SAMPLES);
        put(dir.path(), "warmup/x_1.csv", SAMPLES);
        let (files, ignored) = found(dir.path(), |path| path == "warmup");
        assert_eq!((files, ignored), (vec!["a/x_1.csv".to_owned()], vec!["warmup".to_owned()]));
    }
}
