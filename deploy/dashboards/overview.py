"""The first page: where every collection is, and whether all is well."""

from deploy.dashboards.panel import Dashboard, Look, Panel, Query

C = 'crossfade_collection=~"$collection"'

OVERVIEW = Dashboard(
    "overview",
    "migration overview",
    "Where every collection is on its way, and whether anything needs a person.",
    (
        Panel(
            "Stages",
            (
                Query(
                    "max by (crossfade_collection, crossfade_stage, crossfade_primary)"
                    f" (crossfade_collection_stage{{{C}}})"
                ),
            ),
            "Each collection's stage and primary.",
            "A collection with two rows for longer than a moment has replicas out of step: `crossfade replicas`.",
            Look.TABLE,
            width=12,
        ),
        Panel(
            "Open divergences",
            (
                Query(
                    f"sum(max by (crossfade_collection, crossfade_kind) (crossfade_divergences_open{{{C}}}))"
                ),
            ),
            "Differences between the stores that survived rechecking and are not healed.",
            "Any number but 0 blocks promotion: see the dashboard of divergences.",
            Look.NUMBER,
            width=4,
            bad_from=1,
        ),
        Panel(
            "Replicas alive",
            (Query('max(crossfade_replicas{crossfade_state="alive"})'),),
            "Proxies whose heartbeat is fresh.",
            "With fewer than two, one death stops every service: start another.",
            Look.NUMBER,
            width=4,
            bad_below=2,
        ),
        Panel(
            "Breakers open",
            (
                Query(
                    "sum(max by (crossfade_collection)"
                    f' (crossfade_breaker_state{{crossfade_state!="closed",{C}}}))'
                ),
            ),
            "Collections for which some replica does not try mirror writes inline.",
            "The mirror is slow or away: look at its failures below latency and cost.",
            Look.NUMBER,
            width=4,
            bad_from=1,
        ),
        Panel(
            "Calls a second",
            (
                Query(
                    f"sum by (crossfade_collection) (rate(rpc_server_call_duration_seconds_count{{{C}}}[$__rate_interval]))",
                    "{{crossfade_collection}}",
                ),
            ),
            "How busy each collection is.",
            "A collection that falls silent has lost its clients, or they cannot reach the proxies.",
            unit="reqps",
        ),
        Panel(
            "Failed calls a second",
            (
                Query(
                    "sum by (rpc_response_status_code)"
                    f' (rate(rpc_server_call_duration_seconds_count{{rpc_response_status_code!="OK",{C}}}[$__rate_interval]))'
                    " or on () vector(0)",
                    "{{rpc_response_status_code}}",
                ),
            ),
            "Calls by the status that they failed with; ALREADY_EXISTS and NOT_FOUND may be the application's own.",
            "UNAVAILABLE and DEADLINE_EXCEEDED are ours: docs/errors.md has each reason.",
            unit="reqps",
        ),
        Panel(
            "Mirror writes",
            (
                Query(
                    f"sum by (crossfade_outcome) (rate(crossfade_mirror_writes_total{{{C}}}[$__rate_interval]))",
                    "{{crossfade_outcome}}",
                ),
            ),
            "Inline mirror writes by what became of them.",
            "Deferred ones are healed by the reconciler. Unconfirmed ones failed a client's call: MongoDB is away.",
            unit="wps",
        ),
        Panel(
            "Feed lag",
            (
                Query(
                    f"max by (crossfade_collection) (crossfade_feed_lag_seconds{{{C}}})",
                    "{{crossfade_collection}}",
                ),
            ),
            "Seconds that the mirror may be behind the primary.",
            "A second or more closes the gate. If it grows, see 'the reconciler is behind' in the runbook.",
            unit="s",
        ),
        Panel(
            "Changes waiting",
            (
                Query(
                    f"max by (crossfade_collection) (crossfade_feed_waiting{{{C}}})",
                    "{{crossfade_collection}}",
                ),
            ),
            "Changes read from the feed that the mirror does not have yet.",
            "As for the lag; a number that stands still means that the mirror refuses something.",
        ),
        Panel(
            "Backfill and verify",
            (
                Query(
                    f"max by (crossfade_collection, crossfade_job) (crossfade_job_progress{{{C}}})",
                    "{{crossfade_job}} of {{crossfade_collection}}",
                ),
            ),
            "How far each job has come.",
            "A job that stands still is resumed by starting it again.",
            unit="percentunit",
        ),
        Panel(
            "Documents a second in jobs",
            (
                Query(
                    f"max by (crossfade_collection, crossfade_job) (crossfade_job_rate{{{C}}})",
                    "{{crossfade_job}} of {{crossfade_collection}}",
                ),
            ),
            "How fast jobs go.",
            "They are slowed where the stores or the clients suffer.",
        ),
        Panel(
            "Writes past the proxy",
            (
                Query(
                    f"sum by (crossfade_collection) (rate(crossfade_reconcile_bypassed_total{{{C}}}[$__rate_interval]))",
                    "{{crossfade_collection}}",
                ),
            ),
            "Documents that services changed in MongoDB directly.",
            "Move those services to the proxy before DYNAMO_PRIMARY: the fence will refuse them.",
            unit="wps",
        ),
        Panel(
            "Documents in quarantine",
            (
                Query(
                    f"max by (crossfade_collection) (crossfade_feed_quarantined{{{C}}})",
                    "{{crossfade_collection}}",
                ),
            ),
            "Documents that the mirror cannot hold.",
            "Mend them, and backfill again: promotion is blocked until none is left.",
            bad_from=1,
        ),
    ),
)
