"""What to look at while the primary changes, before it and after it."""

from deploy.dashboards.panel import Dashboard, Look, Panel, Query

C = 'crossfade_collection=~"$collection"'
R = "$__rate_interval"

CUTOVER = Dashboard(
    "cutover",
    "cutover",
    "What to look at before, during and after a change of the primary.",
    (
        Panel(
            "Epochs",
            (
                Query(
                    f"max by (crossfade_collection, instance) (crossfade_collection_epoch{{{C}}})",
                    "{{crossfade_collection}} at {{instance}}",
                ),
            ),
            "The epoch that each replica acts upon; a step is a change of stage.",
            "A replica that stays behind is cut off from the control database: it refuses reads and its writes are fenced.",
            Look.STATES,
            width=12,
        ),
        Panel(
            "Replicas out of step",
            (
                Query(
                    f"max by (crossfade_collection) (crossfade_collection_epoch{{{C}}})"
                    f" - min by (crossfade_collection) (crossfade_collection_epoch{{{C}}})",
                    "{{crossfade_collection}}",
                ),
            ),
            "0 where all replicas act upon the same epoch.",
            "`crossfade replicas` shows which one is behind.",
            Look.NUMBER,
            width=6,
            bad_from=1,
        ),
        Panel(
            "Holding now",
            (
                Query(
                    f"max by (crossfade_collection) (crossfade_collection_holding{{{C}}})",
                    "{{crossfade_collection}}",
                ),
            ),
            "1 while writes wait.",
            "It ends by itself within 5 seconds; `crossfade abort` ends it at once.",
            Look.NUMBER,
            width=6,
            bad_from=1,
        ),
        Panel(
            "Holds",
            (
                Query(
                    "histogram_quantile(0.5, sum by (le, crossfade_collection)"
                    f" (increase(crossfade_cutover_hold_seconds_bucket{{{C}}}[$__range])))",
                    "median of {{crossfade_collection}}",
                ),
                Query(
                    "histogram_quantile(1, sum by (le, crossfade_collection)"
                    f" (increase(crossfade_cutover_hold_seconds_bucket{{{C}}}[$__range])))",
                    "longest of {{crossfade_collection}}",
                ),
            ),
            "How long changes of the primary held writes in this range of time.",
            "Holds of seconds: a dead replica's lease, a long transaction, or a mirror that was behind.",
            unit="s",
        ),
        Panel(
            "Where the time of a change went",
            (
                Query(
                    f"sum by (crossfade_step) (increase(crossfade_cutover_step_seconds_sum{{{C}}}[$__range]))"
                    f" / sum by (crossfade_step) (increase(crossfade_cutover_step_seconds_count{{{C}}}[$__range]))",
                    "{{crossfade_step}}",
                ),
            ),
            "The mean time of each step.",
            "hold: a replica; fence: an open transaction in MongoDB; drain: the mirror.",
            unit="s",
        ),
        Panel(
            "Moves",
            (
                Query(
                    "sum by (crossfade_collection, crossfade_stage, crossfade_outcome)"
                    f" (increase(crossfade_cutover_moves_total{{{C}}}[$__range])) > 0"
                    " or on () vector(0)",
                    "{{crossfade_collection}} to {{crossfade_stage}}: {{crossfade_outcome}}",
                ),
            ),
            "Changes of stage in this range of time, and whether they were published.",
            "An aborted move lost nothing: mend what its steps point at, and move again.",
        ),
        Panel(
            "Writes: 99th percentile",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le, crossfade_collection) (rate(rpc_server_call_duration_seconds_bucket"
                    f'{{rpc_method=~".*/(Insert|Replace|Update|FindOneAndUpdate|Delete|BatchWrite)",{C}}}[{R}])))',
                    "{{crossfade_collection}}",
                ),
            ),
            "What clients feel of a hold.",
            "It falls back as soon as the change is published.",
            unit="s",
        ),
        Panel(
            "Calls refused meanwhile",
            (
                Query(
                    "sum by (crossfade_collection, rpc_response_status_code) (rate(rpc_server_call_duration_seconds_count"
                    f'{{rpc_response_status_code=~"UNAVAILABLE|ABORTED|DEADLINE_EXCEEDED",{C}}}[{R}])) or on () vector(0)',
                    "{{crossfade_collection}} {{rpc_response_status_code}}",
                ),
            ),
            "A hold makes calls wait, not fail: this stays at 0 through a change.",
            "UNAVAILABLE: a hold went on for 5 s, or a replica has lost its lease.",
            unit="reqps",
        ),
        Panel(
            "Evidence for the gate: verifies",
            (
                Query(
                    "max by (crossfade_collection, crossfade_state)"
                    f' (crossfade_job_state{{crossfade_job="verify",{C}}})'
                ),
            ),
            "The state of the last verify of each collection.",
            "`crossfade cutover NAME --dry-run` has the gate's checks with their evidence.",
            Look.TABLE,
        ),
        Panel(
            "Evidence for the gate: feed lag",
            (
                Query(
                    f"max by (crossfade_collection) (crossfade_feed_lag_seconds{{{C}}})",
                    "{{crossfade_collection}}",
                ),
            ),
            "What a drain has to catch up with.",
            "Wait until it is under a second.",
            unit="s",
            bad_from=1,
        ),
        Panel(
            "Feeds that nobody follows",
            (
                Query(
                    f"sum by (crossfade_collection) (crossfade_feed_leading{{{C}}}) == bool 0",
                    "{{crossfade_collection}}",
                ),
            ),
            "1 where no replica's reconciler has the lease.",
            "It passes within 5 s of a replica's death; longer than that, look at the control database.",
            Look.NUMBER,
            bad_from=1,
        ),
    ),
)
