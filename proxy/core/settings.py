"""The settings of a collection from plain data, each checked for its type and range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proxy.core.collection import Settings


class Mistake(Exception):
    """Something wrong in a declaration: where (a dotted path, or nothing for the whole) and what."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(f"{path} {sentence}".strip())
        self.path = path
        self.sentence = sentence


def settings_of(data: Mapping[str, Any]) -> Settings:
    """The settings that `data` names, the others at their defaults. Raises Mistake."""
    values = {name: _read(name, value) for name, value in data.items()}
    settings = Settings(**values)
    if settings.page_size > settings.max_page_size:
        raise Mistake("settings.page_size", f"is above max_page_size ({settings.max_page_size})")
    return settings


def _read(name: Any, value: Any) -> Any:
    path = f"settings.{name}"
    if name not in _READERS:
        raise Mistake(path, f"is not a setting: there are {', '.join(_READERS)}")
    return _READERS[name](path, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(least: float, most: float) -> Callable[[str, Any], float]:
    def read(path: str, value: Any) -> float:
        if not _is_number(value) or not least <= value <= most:
            raise Mistake(path, f"must be a number from {least:g} to {most:g}, and is {value!r}")
        return float(value)

    return read


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(path: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Mistake(path, f"must be a whole number from {least} to {most}, and is {value!r}")
        return value

    return read


def _truth(path: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Mistake(path, f"must be true or false, and is {value!r}")
    return value


def _paths(path: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) and entry for entry in value):
        raise Mistake(path, 'must be a list of dotted paths, or ["*"]')
    return tuple(value)


def _delays(path: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(_is_number(entry) and 0 <= entry <= _HOUR for entry in value):
        raise Mistake(path, f"must be a list of seconds from 0 to {_HOUR}")
    return tuple(float(entry) for entry in value)


_HOUR, _DAY = 3_600, 86_400
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "shadow_rate": _number(0, 1),
    "mirror_timeout": _number(0.001, 60),
    "page_size": _whole(1, 10_000),
    "max_page_size": _whole(1, 10_000),
    "scan_budget": _whole(1, 10_000_000),
    "allow_scan": _truth,
    "allow_eventual": _truth,
    "tombstone_ttl": _number(_HOUR, 365 * _DAY),
    "tombstone_grace": _number(0, _HOUR),
    "redact": _paths,
    "recheck_delays": _delays,
    "shadow_queue": _whole(1, 1_000_000),
    "recheck_queue": _whole(1, 1_000_000),
    "report_queue": _whole(1, 1_000_000),
    "purge_queue": _whole(0, 1_000_000),
}
"""How each setting is read, by its name in `Settings`."""
