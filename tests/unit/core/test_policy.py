"""Roles by subject and collection: what is not granted is denied."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.identity import Identity, Role
from proxy.core.policy import EVERY, Policy, declare_policy

ADA = Identity("jwt:ada", ("billing",))


def policy(*grants: dict[str, Any]) -> Policy:
    declared, mistakes = declare_policy({"grants": list(grants)})
    assert mistakes == []
    return declared


def roles(granted: Policy, collection: str) -> set[Role]:
    return {role for role in Role if granted.allows(ADA, role, collection)}


def test_nobody_has_a_role_that_is_not_granted() -> None:
    granted = policy({"who": "jwt:bob", "role": "operator"}, {"who": "token:ada", "role": "writer"})
    assert roles(granted, "jobs") == set() and not granted.knows(ADA)


@pytest.mark.parametrize(
    ("role", "has"),
    [
        ("reader", {Role.READER}),
        ("writer", {Role.READER, Role.WRITER}),
        ("operator", {Role.OPERATOR}),
    ],
)
def test_a_role_is_for_the_collections_that_are_named(role: str, has: set[Role]) -> None:
    granted = policy({"who": "jwt:ada", "role": role, "collections": ["jobs"]})
    assert roles(granted, "jobs") == has
    assert roles(granted, "tasks") == roles(granted, EVERY) == roles(granted, "") == set()


def test_a_role_without_collections_is_for_every_one() -> None:
    granted = policy({"who": "jwt:ada", "role": "reader"})
    assert roles(granted, "jobs") == roles(granted, EVERY) == {Role.READER}


def test_groups_and_several_grants_add_up() -> None:
    granted = policy(
        {"who": "group:billing", "role": "reader", "collections": ["invoices"]},
        {"who": "jwt:ada", "role": "operator", "collections": ["invoices"]},
    )
    assert roles(granted, "invoices") == {Role.READER, Role.OPERATOR}


def test_a_group_cannot_be_claimed_by_a_name() -> None:
    granted = policy({"who": "group:ops", "role": "operator"})
    assert not granted.knows(Identity("jwt:group:ops")) and not granted.knows(Identity("token:ops"))


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        (None, "must have a list"),
        ({"grants": [], "users": []}, "must have a list"),
        ({"grants": [{"who": "ada", "role": "reader"}]}, "grants[0] who must begin with"),
        ({"grants": [{"who": "jwt:", "role": "reader"}]}, "grants[0] who must begin with"),
        ({"grants": [{"who": "jwt:a", "role": "root"}]}, "grants[0] role must be reader, writer, operator"),
        ({"grants": [{"who": "jwt:a", "role": ["reader"]}]}, "grants[0] role must be"),
        ({"grants": [{"who": "jwt:a"}]}, "grants[0] must have who and role"),
        ({"grants": [{"who": "jwt:a", "role": "reader", "collection": "x"}]}, "grants[0] must have who"),
        ({"grants": [{"who": "jwt:a", "role": "reader", "collections": []}]}, "grants[0] collections must"),
        ({"grants": [{"who": "jwt:a", "role": "reader", "collections": "x"}]}, "grants[0] collections must"),
    ],
)
def test_mistakes_are_sentences_and_grant_nothing(data: Any, mistake: str) -> None:
    granted, mistakes = declare_policy(data)
    assert len(mistakes) == 1 and mistakes[0].startswith(mistake)
    assert not granted.knows(Identity("jwt:a"))
