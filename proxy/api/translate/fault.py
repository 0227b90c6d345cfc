"""A fault of a request carries the path of the field at fault, built from the inside out.

Readers raise `BadRequest` without knowing where they are; every caller on the way out puts its own step in
front. So a good request pays nothing for paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from proxy.core.errors import BadRequest, Reason


def fault(message: str, reason: Reason = Reason.INVALID_ARGUMENT, field: str = "") -> BadRequest:
    """A BadRequest about `field` of the message at hand."""
    return BadRequest(message, reason, field=field)


def within(step: str, error: BadRequest) -> BadRequest:
    """The same error, one level further out: `step` before its path (`fields[3]` before `value`)."""
    joint = "." if error.field and not error.field.startswith("[") else ""
    error.field = f"{step}{joint}{error.field}"
    return error


@contextmanager
def inside(step: str) -> Iterator[None]:
    """Faults of the block lie within `step`. For places that are not hot."""
    try:
        yield
    except BadRequest as error:
        raise within(step, error)  # noqa: B904 - it is the same error
