"""What all workers of one run of a job go by; kept as the job's position in the control store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from proxy.core.flag import Job
from proxy.core.stage import StoreName


@dataclass(frozen=True, slots=True)
class JobOrder:
    """How an operator wants a job done; None leaves it as it is, or unlimited where it begins.

    `rate` limits documents a second and `max_units` write units a second, of all workers together (0: no
    limit). With `anew` a paused run is not gone on with; with `only_resume` no other one is begun. `actor`
    and `reason` are for the audit trail.
    """

    rate: float | None = None
    max_units: float | None = None
    anew: bool = False
    only_resume: bool = False
    actor: str = ""
    reason: str = ""


AS_IT_IS = JobOrder()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a run is divided: into so many ranges, of which each is read to its end, or as far as `most`
    documents (0: to its end). `total` is about how many documents that makes, of so many in `population`."""

    ranges: int
    total: int
    population: int
    most: int = 0


@dataclass(frozen=True, slots=True)
class Charter:
    """One run: its name, the primary it began under, its ranges (see `Layout`), and its limits (0: none)."""

    run: str
    primary: StoreName
    ranges: int
    most: int = 0
    rate: float = 0.0
    max_units: float = 0.0

    def to_text(self) -> str:
        """The position to keep."""
        return json.dumps({**asdict(self), "primary": self.primary.value})

    def limited(self, order: JobOrder) -> Charter:
        """The same run under the limits of an order, where it names any."""
        rate = self.rate if order.rate is None else order.rate
        units = self.max_units if order.max_units is None else order.max_units
        return replace(self, rate=rate, max_units=units)


def charter_of(job: Job | None) -> Charter | None:
    """The charter of a job; None where there is no job, or one that keeps none."""
    if job is None:
        return None
    try:
        data = json.loads(job.position)
        return Charter(**{**data, "primary": StoreName(data["primary"])})
    except (ValueError, KeyError, TypeError):
        return None
