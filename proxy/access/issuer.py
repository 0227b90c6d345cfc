"""Whose signed tokens are taken; told apart from how they are verified, which few proxies need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken: `keys` is a file or an address; `groups` the claim that lists their groups."""

    keys: str
    issuer: str
    audience: str
    groups: str = "groups"
