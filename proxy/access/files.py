"""Files that others may replace at any time: read again when they have changed, and only then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

Mark = tuple[int, int, int]
"""When a file was written, its number and its size: who replaces a file changes one of them."""


class AccessError(Exception):
    """Something that decides who may come in cannot be read; the message names it and shows no secret."""


def mark_of(*paths: str) -> tuple[Mark, ...]:
    """What tells that one of the files has changed. Raises AccessError for one that is not there."""
    return tuple(_mark_of(path) for path in paths)


def read_text(path: str) -> str:
    """The text of a file. Raises AccessError."""
    try:
        return Path(path).read_text()
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AccessError(f"{path} is not text") from error


class Kept(Generic[T]):
    """What `make` makes of some files, made again when one of them has changed."""

    def __init__(self, paths: tuple[str, ...], make: Callable[[], T]) -> None:
        """Raises AccessError where it cannot be made now."""
        self._paths = paths
        self._make = make
        self._mark = mark_of(*paths)
        self.value = make()

    def refresh(self) -> bool:
        """Whether it was made anew. Raises AccessError, and keeps what it has, where that cannot be done."""
        mark = mark_of(*self._paths)
        if mark == self._mark:
            return False
        self.value = self._make()
        self._mark = mark
        return True


def _mark_of(path: str) -> Mark:
    try:
        status = os.stat(path)
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from error
    return status.st_mtime_ns, status.st_ino, status.st_size
