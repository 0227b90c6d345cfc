"""Proposals as the text of a collections file, with its reasons as comments.

Written by hand, not by a YAML library, for the comments; what is read back by `proxy.config` is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from proxy.assess.proposal import Proposal

_PLAIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_./-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"})


def collections_file(proposals: Sequence[Proposal], heading: Sequence[str] = ()) -> str:
    """The whole file; of no use, but still readable, where nothing is proposed."""
    lines = [f"# {line}" for line in heading]
    lines += ["", "collections:"] if lines else ["collections:"]
    for proposal in proposals:
        if proposal.collection is not None:
            lines += (
                ["", *_indented(_collection(proposal))]
                if len(lines) > 1
                else _indented(_collection(proposal))
            )
    return "\n".join(lines) + "\n"


def collection_lines(proposal: Proposal) -> str:
    """One collection of the file."""
    return "\n".join(_collection(proposal))


def _collection(proposal: Proposal) -> Iterator[str]:
    yield f"{_scalar(proposal.name)}:"
    for word, value in proposal.declaration.items():
        yield from _indented(_entry(word, value, word, proposal.reasons))


def _entry(name: str, value: Any, path: str, reasons: Mapping[str, str]) -> Iterator[str]:
    if reason := reasons.get(path):
        yield f"# {_one_line(reason)}"
    if isinstance(value, Mapping):
        yield f"{_scalar(name)}:"
        for inner, each in value.items():
            yield from _indented(_entry(inner, each, f"{path}.{inner}", reasons))
    else:
        yield f"{_scalar(name)}: {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(_scalar(each) for each in value)}]"
    return _scalar(str(value))


def _scalar(text: str) -> str:
    """As it is where YAML can only take it for a string; in quotes, which JSON and YAML share, otherwise."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
