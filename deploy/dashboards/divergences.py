"""Whether both stores say the same, and what differs."""

from deploy.dashboards.panel import Dashboard, Look, Panel, Query

C = 'crossfade_collection=~"$collection"'
OUTCOMES = "crossfade_shadow_outcomes_total"
NOT_COMPARED = "DROPPED|OVERTAKEN|UNCOPIED|UNAVAILABLE|REPORT_DROPPED"

DIVERGENCES = Dashboard(
    "divergences",
    "divergences",
    "Whether both stores say the same: shadow reads, verifies, and what differs.",
    (
        Panel(
            "Open divergences by kind",
            (
                Query(
                    "sum by (crossfade_kind) (max by (crossfade_collection, crossfade_kind)"
                    f" (crossfade_divergences_open{{{C}}}))",
                    "{{crossfade_kind}}",
                ),
            ),
            "What is recorded and not healed.",
            "TRUE_MISMATCH and GHOST_IN_MIRROR: somebody wrote to the mirror past the proxy. Repair, then verify.",
            width=12,
        ),
        Panel(
            "Open divergences by collection",
            (
                Query(
                    "sum by (crossfade_collection) (max by (crossfade_collection, crossfade_kind)"
                    f" (crossfade_divergences_open{{{C}}}))",
                    "{{crossfade_collection}}",
                ),
            ),
            "The same by collection.",
            "`crossfade divergences --collection NAME` has the fields that differ; the console also the trace of each.",
            Look.NUMBER,
            width=12,
            bad_from=1,
        ),
        Panel(
            "Match rate",
            (
                Query(
                    f'sum by (crossfade_collection) (rate({OUTCOMES}{{crossfade_outcome="MATCH",{C}}}[$__rate_interval]))'
                    " / sum by (crossfade_collection)"
                    f' (rate({OUTCOMES}{{crossfade_outcome!~"{NOT_COMPARED}",{C}}}[$__rate_interval]))',
                    "{{crossfade_collection}}",
                ),
            ),
            "The share of compared reads that matched, to the byte.",
            "Short dips are documents that change while they are compared. One that stays below 1 has a cause.",
            unit="percentunit",
        ),
        Panel(
            "Shadow reads by outcome",
            (
                Query(
                    f"sum by (crossfade_outcome) (rate({OUTCOMES}{{{C}}}[$__rate_interval]))",
                    "{{crossfade_outcome}}",
                ),
            ),
            "What comparisons found.",
            "UNCOPIED ends with the backfill; UNAVAILABLE is the mirror's health.",
            unit="ops",
        ),
        Panel(
            "Shadow reads not compared",
            (
                Query(
                    "sum by (crossfade_outcome)"
                    f' (rate({OUTCOMES}{{crossfade_outcome=~"{NOT_COMPARED}",{C}}}[$__rate_interval])) or on () vector(0)',
                    "{{crossfade_outcome}}",
                ),
            ),
            "Reads that were sampled and say nothing.",
            "Many DROPPED: lower shadow_rate, or add a replica; evidence is lost, clients are not harmed.",
            unit="ops",
        ),
        Panel(
            "What verifies found",
            (
                Query(
                    "sum by (crossfade_collection, crossfade_outcome)"
                    f" (increase(crossfade_verify_divergences_total{{{C}}}[$__range])) or on () vector(0)",
                    "{{crossfade_outcome}} in {{crossfade_collection}}",
                ),
            ),
            "Differences that complete comparisons found in this range of time, by kind.",
            "Repair, and verify again until there is none.",
        ),
        Panel(
            "Documents compared by verifies",
            (
                Query(
                    f"sum by (crossfade_collection) (rate(crossfade_verify_documents_total{{{C}}}[$__rate_interval]))",
                    "{{crossfade_collection}}",
                ),
            ),
            "How many documents a second verifies and samples look at.",
            "It is slowed where stores or clients suffer.",
            unit="ops",
        ),
        Panel(
            "The last verify's counts",
            (
                Query(
                    "max by (crossfade_collection, crossfade_outcome)"
                    f' (crossfade_job_documents{{crossfade_job="verify",{C}}})'
                ),
            ),
            "What the last verify of each collection counted.",
            "A verify that found something is followed by another one.",
            Look.TABLE,
        ),
        Panel(
            "What the reconciler did",
            (
                Query(
                    f"sum by (crossfade_outcome) (rate(crossfade_reconcile_keys_total{{{C}}}[$__rate_interval]))",
                    "{{crossfade_outcome}}",
                ),
            ),
            "Documents that the reconciler looked at: most are equal already, for the inline write was quicker.",
            "Many that it had to bring: mirror writes are deferred, or somebody writes past the proxy.",
            unit="ops",
        ),
    ),
)
