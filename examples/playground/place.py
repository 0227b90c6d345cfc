"""Where a running playground is written down, and whether it still runs."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / ".crossfade"
FILE = DIRECTORY / "playground.json"
LOG = DIRECTORY / "playground.log"


@dataclass(frozen=True, slots=True)
class Running:
    """A playground: the keeper's process id, and what it keeps. `proxies` are host:port, `consoles` where a
    browser finds theirs."""

    pid: int
    mongodb: str
    database: str
    dynamodb: str
    proxies: list[str]
    consoles: list[str]
    log: str


def write(found: Running) -> None:
    """Readers see all of it or nothing."""
    DIRECTORY.mkdir(exist_ok=True)
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(dataclasses.asdict(found), indent=2))
    new.replace(FILE)


def forget() -> None:
    FILE.unlink(missing_ok=True)


def running() -> Running | None:
    """What runs; a file that a killed keeper left behind counts as nothing."""
    try:
        found = Running(**json.loads(FILE.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if is_keeper(found.pid) else None


def is_keeper(pid: int) -> bool:
    """Whether that process is a playground's keeper, and not another that got its number."""
    commands = Path(f"/proc/{pid}/cmdline")
    if not commands.parent.parent.joinpath("self").exists():
        return _exists(pid)
    try:
        return b"examples.playground\0keep" in commands.read_bytes()
    except OSError:
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
