"""What a person watches: a small live table on a terminal, plain lines elsewhere; the summary at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crossfade import AsyncMigrationClient, CrossfadeError
from crossfade.v1 import migration_pb2 as pb
from examples.demo.journey import Flip
from examples.demo.summary import Summary
from examples.demo.traffic import Traffic

_REFRESH = 1.0  # seconds between two looks at the proxies
_HISTORY = 14  # lines of the story that stay on a terminal


@dataclass(slots=True)
class Screen:
    """Tells the story; `traffic` and `flips` are looked at while they grow, and `consoles` too."""

    console: Console
    traffic: Traffic
    flips: list[Flip] = field(default_factory=list)
    consoles: list[str] = field(default_factory=list)
    _live: Live | None = None
    _began: float = field(default_factory=time.monotonic)
    _story: list[str] = field(default_factory=list)
    _seen: dict[str, list[pb.Collection]] = field(default_factory=dict)

    def tell(self, line: str) -> None:
        """Say what happens now."""
        line = f"{time.monotonic() - self._began:6.1f} s  {line}"
        self._story.append(line)
        if self._live:
            self._live.update(self._picture())
        else:
            self.console.print(Text(line), soft_wrap=True)

    @asynccontextmanager
    async def watching(self, addresses: Sequence[str]) -> AsyncIterator[None]:
        """Show the table of all collections, if there is a terminal to show it on."""
        if not self.console.is_terminal:
            yield
            return
        with Live(self._picture(), console=self.console, refresh_per_second=4) as self._live:
            task = asyncio.create_task(self._keep_looking(addresses))
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                self._live.update(self._picture(whole_story=True))
        self._live = None

    async def _keep_looking(self, addresses: Sequence[str]) -> None:
        while True:
            with suppress(CrossfadeError):
                await self._look(addresses)
            if self._live:
                self._live.update(self._picture())
            await asyncio.sleep(_REFRESH)

    async def _look(self, addresses: Sequence[str]) -> None:
        seen: dict[str, list[pb.Collection]] = {}
        for address in addresses:
            async with AsyncMigrationClient(address) as operator:
                for collection in await operator.list_collections():
                    found = await operator.get_collection(collection.name)
                    seen.setdefault(collection.name, []).append(found)
        self._seen = seen

    def _picture(self, whole_story: bool = False) -> RenderableType:
        story = self._story if whole_story else self._story[-_HISTORY:]
        watched = Text(f"in a browser, while this runs: {', '.join(self.consoles)}", style="dim")
        return Group(Text("\n".join(story)), self._table(), watched)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("collection", "stage", "epoch", "writes", "reads"):
            table.add_column(name, justify="left" if name in ("collection", "stage") else "right")
        for name in ("compared", "diverged", "hold ms"):
            table.add_column(name, justify="right")
        for name, found in sorted(self._seen.items()):
            table.add_row(*self._row(name, found))
        return table

    def _row(self, name: str, found: Sequence[pb.Collection]) -> list[str]:
        newest = max(found, key=lambda one: one.epoch)
        holds = [flip.hold_ms for flip in self.flips if flip.collection == name]
        change = f" to {_stage(newest.change.to_stage)}" if newest.HasField("change") else ""
        return [
            name,
            _stage(newest.stage) + change,
            str(newest.epoch),
            str(self.traffic.ledger.acknowledged[name]),
            str(self.traffic.meter.reads[name]),
            str(sum(one.counts.shadow_compared for one in found)),
            str(newest.counts.open_divergences),
            f"{holds[-1]:.0f}" if holds else "-",
        ]


def _stage(stage: pb.Stage) -> str:
    return pb.Stage.Name(stage).removeprefix("STAGE_")


def summary_table(summary: Summary) -> Table:
    """The figures that matter, in words."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for label, text in _facts(summary):
        table.add_row(label, text)
    return table


def _facts(summary: Summary) -> list[tuple[str, str]]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in summary.divergences_by_kind.items())
    unequal = ", ".join(f"{kind} {count}" for kind, count in summary.unequal_by_kind.items())
    calls = (
        f"{summary.calls_during_flips}: median {summary.median_stall_ms:.0f} ms, "
        f"99 % within {summary.p99_stall_ms:.0f} ms, longest {summary.longest_stall_ms:.0f} ms"
    )
    return [
        ("acknowledged writes", f"{summary.acknowledged_writes}, and {summary.unknown_writes} in doubt"),
        ("lost, applied twice", f"{summary.lost_writes}, {summary.doubled_writes}"),
        (
            "documents",
            f"{summary.documents}, {summary.unequal_documents} of them unequal {unequal}",
        ),
        ("reads", f"{summary.reads}, {summary.stale_reads} of them stale"),
        ("shadow reads", f"{summary.shadow_reads_compared} compared, {summary.shadow_reads_dropped} dropped"),
        ("divergences", f"{summary.divergences} {kinds}, and {summary.healed_lag} that were lag and healed"),
        ("reservations", f"{summary.reservations}, {summary.overlapping_reservations} owned by two workers"),
        ("changes of primary", f"{summary.flips}, {summary.aborted_flips} aborted on the way"),
        ("writes held", _held(summary)),
        ("calls meanwhile", calls),
        ("failed calls", str(summary.failed_calls)),
        ("took", f"{summary.seconds:.0f} s"),
    ]


def _held(summary: Summary) -> str:
    """How the holds of all changes are distributed, each of them told."""
    each = ", ".join(f"{hold:.0f}" for hold in sorted(summary.holds_ms))
    return f"{each} ms: median {summary.median_hold_ms:.0f} ms, longest {summary.longest_hold_ms:.0f} ms"
