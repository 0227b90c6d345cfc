"""What a command shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crossfade.cli.tables import Part


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command shows: `parts` for people, `data` for scripts, and whether all is well."""

    parts: tuple[Part, ...]
    data: Any
    is_good: bool = True
