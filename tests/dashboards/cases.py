"""What makes each alert fire: two healthy replicas, and one thing that goes wrong with them at minute 10.

Values are written as promtool reads them: `a+bxn` rises by b n times, `axn` stands still; a step is 15 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.dashboards.programs import ALERTS

STEP, FAULT_AT, END = 15, 10 * 60, 30 * 60
BEFORE, AFTER = FAULT_AT // STEP, (END - FAULT_AT) // STEP

_JOBS = 'crossfade_collection="jobs"'
_CALLS = "rpc_server_call_duration_seconds_count"
_ADDED = "crossfade_call_added_seconds_bucket"


def still(value: int) -> str:
    return f"{value}x{BEFORE + AFTER}"


def rising(by: int) -> str:
    return f"0+{by}x{BEFORE + AFTER}"


def from_fault(value: int, before: int = 0) -> str:
    """One value up to the fault, and another from then on."""
    return f"{before}x{BEFORE} {value}x{AFTER}"


HEALTHY: Mapping[str, str] = {
    'crossfade_replicas{crossfade_state="alive"}': still(2),
    'crossfade_replicas{crossfade_state="dead"}': still(0),
    f'{_CALLS}{{rpc_response_status_code="OK",{_JOBS}}}': rising(100),
    f'{_CALLS}{{rpc_response_status_code="UNAVAILABLE",{_JOBS}}}': still(0),
    f'{_ADDED}{{le="0.002",{_JOBS}}}': rising(100),
    f'{_ADDED}{{le="1.0",{_JOBS}}}': rising(100),
    f'{_ADDED}{{le="+Inf",{_JOBS}}}': rising(100),
    f'crossfade_mirror_writes_total{{crossfade_outcome="applied",{_JOBS}}}': rising(50),
    f'crossfade_mirror_writes_total{{crossfade_outcome="deferred",{_JOBS}}}': rising(1),
    f'crossfade_mirror_writes_total{{crossfade_outcome="unconfirmed",{_JOBS}}}': still(0),
    f"crossfade_collection_holding{{{_JOBS}}}": still(0),
    f'crossfade_divergences_open{{crossfade_kind="TRUE_MISMATCH",{_JOBS}}}': still(0),
    f'crossfade_feed_lag_seconds{{instance="a",{_JOBS}}}': still(1),
    f'crossfade_feed_leading{{instance="a",{_JOBS}}}': still(1),
    f'crossfade_feed_leading{{instance="b",{_JOBS}}}': still(0),
    f'crossfade_feed_gap{{instance="a",{_JOBS}}}': still(0),
    f'crossfade_fence_restored_total{{instance="a",{_JOBS}}}': still(0),
    f'crossfade_feed_quarantined{{instance="a",{_JOBS}}}': still(0),
    f'crossfade_collection_stage{{instance="a",crossfade_stage="MONGO_PRIMARY",{_JOBS}}}': still(1),
    f'crossfade_breaker_state{{instance="b",crossfade_state="closed",{_JOBS}}}': still(1),
    f'crossfade_breaker_state{{instance="b",crossfade_state="open",{_JOBS}}}': still(0),
    f'crossfade_cutover_moves_total{{crossfade_outcome="published",{_JOBS}}}': rising(1),
    f'crossfade_cutover_moves_total{{crossfade_outcome="aborted",{_JOBS}}}': still(3),
    f'crossfade_job_state{{crossfade_job="verify",crossfade_state="running",{_JOBS}}}': still(1),
    f'crossfade_job_progress{{crossfade_job="verify",{_JOBS}}}': rising(1),
    f'crossfade_collection_epoch{{instance="a",{_JOBS}}}': from_fault(4, before=3),
    f'crossfade_collection_epoch{{instance="b",{_JOBS}}}': from_fault(4, before=3),
    f'crossfade_shadow_outcomes_total{{crossfade_outcome="MATCH",{_JOBS}}}': rising(50),
    f'crossfade_shadow_outcomes_total{{crossfade_outcome="DROPPED",{_JOBS}}}': rising(1),
    'db_client_connection_pending_requests{instance="a",db_client_connection_pool_name="mongodb"}': still(0),
}


@dataclass(frozen=True, slots=True)
class Case:
    """The series that differ from the healthy ones, and the alerts that fire in the end: exactly these."""

    fires: str
    series: Mapping[str, str] = field(default_factory=dict)

    def as_test(self) -> dict[str, Any]:
        """For `promtool test rules`: none fires before the fault, and only this one at the end."""
        return {
            "name": self.fires or "all is well",
            "interval": f"{STEP}s",
            "input_series": [
                {"series": name, "values": values} for name, values in {**HEALTHY, **self.series}.items()
            ],
            "promql_expr_test": [_firing(FAULT_AT - STEP, ""), _firing(END, self.fires)],
        }


def _firing(at: int, name: str) -> dict[str, Any]:
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {"expr": expression, "eval_time": f"{at}s", "exp_samples": samples}


def as_file() -> dict[str, Any]:
    """All cases, as promtool reads them."""
    tests = [case.as_test() for case in cases()]
    return {"rule_files": [str(ALERTS)], "evaluation_interval": f"{STEP}s", "tests": tests}


def cases() -> Iterator[Case]:
    """All is well; then a case for each alert."""
    yield Case("")
    for name, series in _FAULTS.items():
        assert series.keys() & HEALTHY.keys(), f"{name} breaks nothing that is there"
        yield Case(name, series)


_FAULTS: Mapping[str, Mapping[str, str]] = {
    "CrossfadeGone": {
        'crossfade_replicas{crossfade_state="alive"}': f"2x{BEFORE} stale _x{AFTER - 1}",
        'crossfade_replicas{crossfade_state="dead"}': f"0x{BEFORE} stale _x{AFTER - 1}",
    },
    "CrossfadeCallsFail": {
        f'{_CALLS}{{rpc_response_status_code="UNAVAILABLE",{_JOBS}}}': f"0x{BEFORE} 0+2x{AFTER}"
    },
    "CrossfadeSlow": {
        f'{_ADDED}{{le="0.002",{_JOBS}}}': f"0+100x{BEFORE} {100 * BEFORE}+97x{AFTER}",
    },
    "CrossfadeMirrorUnconfirmed": {
        f'crossfade_mirror_writes_total{{crossfade_outcome="unconfirmed",{_JOBS}}}': f"0x{BEFORE} 0+1x{AFTER}"
    },
    "CrossfadeHoldTooLong": {f"crossfade_collection_holding{{{_JOBS}}}": from_fault(1)},
    "CrossfadeDivergences": {
        f'crossfade_divergences_open{{crossfade_kind="TRUE_MISMATCH",{_JOBS}}}': from_fault(1)
    },
    "CrossfadeFeedBehind": {f'crossfade_feed_lag_seconds{{instance="a",{_JOBS}}}': from_fault(31, before=1)},
    "CrossfadeFeedNotFollowed": {f'crossfade_feed_leading{{instance="a",{_JOBS}}}': from_fault(0, before=1)},
    "CrossfadeFeedGap": {f'crossfade_feed_gap{{instance="a",{_JOBS}}}': from_fault(1)},
    "CrossfadeFenceRestored": {
        f'crossfade_fence_restored_total{{instance="a",{_JOBS}}}': f"0x{AFTER} 1x{BEFORE}"
    },
    "CrossfadeBreakerOpen": {
        f'crossfade_breaker_state{{instance="b",crossfade_state="closed",{_JOBS}}}': from_fault(0, before=1),
        f'crossfade_breaker_state{{instance="b",crossfade_state="open",{_JOBS}}}': from_fault(1),
    },
    "CrossfadeQuarantine": {f'crossfade_feed_quarantined{{instance="a",{_JOBS}}}': from_fault(2)},
    "CrossfadeMoveAborted": {
        f'crossfade_cutover_moves_total{{crossfade_outcome="aborted",{_JOBS}}}': f"3x{AFTER} 4x{BEFORE}"
    },
    "CrossfadeJobFailed": {
        f'crossfade_job_state{{crossfade_job="verify",crossfade_state="running",{_JOBS}}}': from_fault(
            0, before=1
        ),
        f'crossfade_job_state{{crossfade_job="verify",crossfade_state="failed",{_JOBS}}}': f"_x{BEFORE} 1x{AFTER}",
    },
    "CrossfadeJobStuck": {
        f'crossfade_job_progress{{crossfade_job="verify",{_JOBS}}}': f"0+1x{BEFORE} {BEFORE}x{AFTER}"
    },
    "CrossfadeOutOfStep": {f'crossfade_collection_epoch{{instance="b",{_JOBS}}}': still(3)},
    "CrossfadeReplicaDead": {'crossfade_replicas{crossfade_state="dead"}': from_fault(1)},
    "CrossfadeOneReplica": {'crossfade_replicas{crossfade_state="alive"}': from_fault(1, before=2)},
    "CrossfadeShadowBlind": {
        f'crossfade_shadow_outcomes_total{{crossfade_outcome="DROPPED",{_JOBS}}}': f"0+1x{BEFORE} {BEFORE}+20x{AFTER}"
    },
    "CrossfadePoolExhausted": {
        'db_client_connection_pending_requests{instance="a",db_client_connection_pool_name="mongodb"}': from_fault(
            5
        )
    },
}
