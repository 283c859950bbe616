"""Holds an archive of `joulerace pack` against the RO-Crate validator, without a network.

    python .ci/crate.py ARCHIVE.zip

in an environment with `roc-validator` and `rocrate`. The one context that the description names is
served from the copy that `rocrate` ships. Ends with 1 where a requirement of RO-Crate 1.1 or of the
Process Run Crate profile is not met; what is only recommended is listed.
"""

import email.message
import importlib.resources
import io
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from urllib.response import addinfourl

import rdflib.parser
import requests
from rocrate.rocrate import ROCrate
from rocrate_validator import models, services

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
COPY = (importlib.resources.files("rocrate") / "data" / "ro-crate.jsonld").read_text()


def get(_session: object, url: str, *_args: object, **_words: object) -> requests.Response:
    """The context, or no such page."""
    response = requests.Response()
    response.url = url
    response.status_code = 200 if url == CONTEXT else 404
    response._content = COPY.encode() if url == CONTEXT else b""
    response.headers["Content-Type"] = "application/ld+json"
    return response


def opened(request: urllib.request.Request) -> addinfourl:
    """The same for rdflib, while it reads JSON-LD."""
    url = request.full_url
    assert url == CONTEXT, f"the description names {url}"
    headers = email.message.Message()
    headers["Content-Type"] = "application/ld+json"
    return addinfourl(io.BytesIO(COPY.encode()), headers, url, 200)


def main(archive: str) -> int:
    """Check, tell, and give the exit status."""
    requests.Session.request = lambda self, _method, url, **words: get(self, url)
    requests.Session.get = requests.Session.head = get
    rdflib.parser._urlopen = opened
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(archive).extractall(folder)
        parts = len(ROCrate(folder).data_entities)
        for profile in ("ro-crate-1.1", "process-run-crate-0.5"):
            result = services.validate(
                services.ValidationSettings(
                    rocrate_uri=Path(folder),
                    profile_identifier=profile,
                    requirement_severity=models.Severity.RECOMMENDED,
                    no_cache=True,
                )
            )
            issues = result.get_issues()
            required = [i for i in issues if i.severity >= models.Severity.REQUIRED]
            failed += len(required)
            for issue in issues:
                print(f"  {issue.severity.name.lower()}: {issue.message}")
            print(f"{profile}: {len(required)} errors, {parts} data entities")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
