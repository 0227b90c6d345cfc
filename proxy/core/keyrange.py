"""The range of sort keys that a plan reads in DynamoDB: never less than the plan selects, seldom more."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.core.errors import BadRequest
from proxy.core.keytext import SORT_LIMIT, KeyText, begin_text, encode_sort, join_leading
from proxy.core.query import Bound, Plan


@dataclass(frozen=True, slots=True)
class KeyRange:
    """One condition on a sort key: equal to, beginning with, or between two texts, ends included.

    With all four None the whole partition is read. Excluded ends and everything else that is too much is left
    to the plan's filter. `is_empty`: no key can be in the range (DynamoDB refuses such a BETWEEN).
    """

    equal: KeyText | None = None
    begins: str | None = None
    lower: KeyText | None = None
    upper: KeyText | None = None

    @property
    def is_empty(self) -> bool:
        if self.begins is not None:
            return len(self.begins.encode()) > SORT_LIMIT
        return self.lower is not None and self.upper is not None and _is_above(self.lower, self.upper)


def key_range(plan: Plan) -> KeyRange:
    """The sort keys to read for a plan with an index. Raises BadRequest (KEY_TOO_LONG) for an equality."""
    assert plan.index is not None
    sort, leading = plan.index.sort, plan.sort_prefix
    if not sort:
        return KeyRange()
    if len(leading) == len(sort):
        return KeyRange(equal=encode_sort(plan.index, leading))
    if plan.text_prefix is not None or not (plan.lower or plan.upper):
        return _beginning(begin_text(sort, leading, plan.text_prefix or ""))
    return _between(plan)


def _beginning(text: str) -> KeyRange:
    return KeyRange(begins=text) if text else KeyRange()


def _between(plan: Plan) -> KeyRange:
    """Bounds on the last component; where one is missing, the leading components bound that side."""
    assert plan.index is not None
    leading = join_leading(plan.index.sort, plan.sort_prefix)
    lower, upper = _bound_text(plan, plan.lower), _bound_text(plan, plan.upper)
    if leading:
        lower = leading if lower is None else lower
        upper = leading[:-1] + _AFTER_SLASH if upper is None else upper
    return KeyRange(lower=lower, upper=upper)


def _bound_text(plan: Plan, bound: Bound | None) -> KeyText | None:
    """A bound as a sort key; one too long to be a key bounds nothing."""
    assert plan.index is not None
    if bound is None:
        return None
    try:
        return encode_sort(plan.index, (*plan.sort_prefix, bound.value))
    except BadRequest:
        return None


_AFTER_SLASH = chr(ord("/") + 1)


def _is_above(lower: KeyText, upper: KeyText) -> bool:
    if isinstance(lower, str) or isinstance(upper, str):
        return str(lower) > str(upper)
    return lower > upper
