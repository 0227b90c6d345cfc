"""What a kind of job is to those who run it: its ranges, the work on each, and what is due at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from proxy.core.flag import Job
from proxy.reconcile.charter import Charter, Layout
from proxy.reconcile.key import Pair
from proxy.reconcile.pacing import Pacing
from proxy.reconcile.progress import Progress
from proxy.reconcile.site import Outlook, Site


class Trade(Protocol):
    """One kind of job; without a state of its own."""

    @property
    def kind(self) -> str:
        """The kind of its jobs (see `core.flag.Job`)."""
        ...

    @property
    def craft(self) -> str:
        """What is done, as people say it and faultpoints are named: backfill or verify."""
        ...

    def lay_out(self, documents: int) -> Layout:
        """How a run is divided where the primary holds about so many documents."""
        ...

    async def require(self, site: Site, outlook: Outlook) -> None:
        """Wait for what must be so before any range is worked on. Raises Refused where it does not come."""
        ...

    async def work(
        self, site: Site, pair: Pair, charter: Charter, number: int, progress: Progress, pacing: Pacing
    ) -> None:
        """Do one range, to its end."""
        ...

    def done(self, counts: Mapping[str, int]) -> int:
        """How many documents these counts stand for."""
        ...

    def tell(self, site: Site, counts: Mapping[str, int]) -> None:
        """Tell the signals what was counted since the last time."""
        ...

    async def conclude(self, site: Site, pair: Pair, job: Job) -> None:
        """What is due when every range is done; may be done twice, and by two at once."""
        ...
