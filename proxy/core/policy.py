"""Which roles an identity has for which collections: what is not granted is denied.

Invariant: an identity, a role or a collection that the policy does not name gets nothing from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.core.identity import Identity, Role

EVERY = "*"
"""In a grant: every collection, those of the future too."""

_WHO = re.compile(r"(token|jwt|cert|group):\S(.*\S)?")
_FIELDS = frozenset(("who", "role", "collections"))


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one subject, for some collections."""

    who: str
    role: Role
    collections: frozenset[str]

    def covers(self, role: Role, collection: str) -> bool:
        """Whether it gives the role for the collection; for EVERY only if it is for all of them."""
        is_enough = self.role is role or (self.role is Role.WRITER and role is Role.READER)
        return is_enough and (EVERY in self.collections or collection in self.collections)


class Policy:
    """All grants. Asking is a look-up by subject."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._grants: dict[str, list[Grant]] = {}
        for grant in grants:
            self._grants.setdefault(grant.who, []).append(grant)

    def allows(self, identity: Identity, role: Role, collection: str = EVERY) -> bool:
        """Whether the identity has the role for the collection, or for all of them."""
        return any(grant.covers(role, collection) for grant in self._of(identity))

    def knows(self, identity: Identity) -> bool:
        """Whether anything is granted to the identity."""
        return bool(self._of(identity))

    def _of(self, identity: Identity) -> list[Grant]:
        return [grant for subject in identity.subjects for grant in self._grants.get(subject, ())]


def declare_policy(data: Any) -> tuple[Policy, list[str]]:
    """The policy that plain data declares, and a sentence for each mistake in it."""
    if not isinstance(data, dict) or list(data) != ["grants"] or not isinstance(data["grants"], list):
        return Policy(()), ["must have a list named grants and nothing else"]
    grants, mistakes = [], []
    for place, entry in enumerate(data["grants"]):
        try:
            grants.append(_grant_of(entry))
        except ValueError as error:
            mistakes.append(f"grants[{place}] {error}")
    return Policy(grants), mistakes


def _grant_of(entry: Any) -> Grant:
    if not isinstance(entry, dict) or set(entry) - _FIELDS or not {"who", "role"} <= set(entry):
        raise ValueError("must have who and role, may have collections, and nothing else")
    who, collections = entry["who"], entry.get("collections", [EVERY])
    if not isinstance(who, str) or not _WHO.fullmatch(who):
        raise ValueError("who must begin with token:, jwt:, cert: or group:")
    if not isinstance(collections, list) or not collections or not all(map(_is_name, collections)):
        raise ValueError("collections must be a list of names, or be left out for every collection")
    return Grant(who, _role_of(entry["role"]), frozenset(collections))


def _role_of(word: Any) -> Role:
    try:
        return Role(word)
    except ValueError as error:
        raise ValueError(f"role must be {', '.join(role.value for role in Role)}") from error


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""
