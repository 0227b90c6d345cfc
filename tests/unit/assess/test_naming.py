"""The names of what a proposal makes."""

from __future__ import annotations

import pytest

from proxy.assess.naming import attribute_for

TASK = ("deployment_key", "webtask_container", "webtask_name")
MODULE = ("deployment_key", "module_name", "module_version")


@pytest.mark.parametrize(
    ("part", "key", "attribute"),
    [
        (TASK[:1], TASK, "deployment_key"),
        (TASK[:2], TASK, "deployment_container"),
        (TASK[1:], TASK, "container_name"),
        (TASK, TASK, "deployment_container_name"),
        (MODULE[:2], MODULE, "deployment_module"),
        (MODULE[1:], MODULE, "name_version"),
        (("tenant_id", "name"), ("tenant_id", "name"), "tenant_name"),
    ],
)
def test_a_part_of_a_key_gets_an_attribute_that_says_what_it_is(
    part: tuple[str, ...], key: tuple[str, ...], attribute: str
) -> None:
    assert attribute_for(part, key, ()) == attribute


def test_the_attribute_of_a_field_that_documents_have_is_not_taken() -> None:
    assert attribute_for(TASK[:2], TASK, {"deployment_container"}) == "deployment_key_webtask_container"
