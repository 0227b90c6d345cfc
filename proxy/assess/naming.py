"""Names for what a proposal makes: DynamoDB attributes of composed keys, indexes, tables.

`deployment_key/webtask_container` becomes `deployment_container`: a word that several fields of the key begin
with tells them apart from nothing, nor does a last `key` or `id`. But `deployment_key/module_name` becomes
`deployment_module`: a name alone is nobody's name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection as Names
from collections.abc import Sequence

from proxy.core.survey import IndexFacts

_EMPTY_WORDS = frozenset({"key", "id"})
_NOBODYS = ["name"]
_UNFIT = re.compile(r"[^a-zA-Z0-9_.-]+")
_DEFAULT_NAME = re.compile(r"(.+_(-?1|hashed|text))")


def attribute_for(part: Sequence[str], key: Sequence[str], taken: Names[str]) -> str:
    """The attribute that holds a part of a key; that of a field which documents have is never used."""
    if len(part) == 1:
        return part[0]
    begins, inside = _beginnings(key), _beginnings(part)
    short = "_".join(_distinct(name, begins, inside) for name in part)
    plain = "_".join(part)
    return next(name for name in (short, plain, plain + "_cf_key") if name not in taken)


def _beginnings(names: Sequence[str]) -> Counter[str]:
    return Counter(name.split("_")[0] for name in names if "_" in name)


def _distinct(name: str, begins: Counter[str], inside: Counter[str]) -> str:
    words = name.split("_")
    if len(words) > 1 and begins[words[0]] > 1:
        is_its_name = words[1:] == _NOBODYS and inside[words[0]] == 1
        words = words[:1] if is_its_name else words[1:]
    if len(words) > 1 and words[-1] in _EMPTY_WORDS:
        words = words[:-1]
    return "_".join(words)


def index_name(index: IndexFacts | None, fields: Sequence[str], taken: Names[str]) -> str:
    """The name that people gave the MongoDB index, or one made of what it is sorted by."""
    given = index.name if index and not _DEFAULT_NAME.fullmatch(index.name) else ""
    name = _fit(given or f"by_{'_'.join(fields)}")
    return _new(name, {*taken, "key"})


def table_name(database: str, collection: str, taken: Names[str]) -> str:
    """The collection's own name, with its database's before it where that is needed."""
    name = _fit(collection)
    if len(name) < 3 or name in taken:
        name = _fit(f"{database}.{collection}")
    return _new(name, taken)


def _fit(name: str) -> str:
    fit = _UNFIT.sub("_", name)[:200]
    return fit if len(fit) >= 3 else f"{fit}_cf"


def _new(name: str, taken: Names[str]) -> str:
    lower = {other.lower() for other in taken}
    names = (name, *(f"{name}_{number}" for number in range(2, 10_000)))
    return next(each for each in names if each.lower() not in lower)
