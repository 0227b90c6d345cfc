"""How long calls take, what of that is the proxy's, and what a call costs."""

from deploy.dashboards.panel import Dashboard, Panel, Query

C = 'crossfade_collection=~"$collection"'
R = "$__rate_interval"
CALLS = "rpc_server_call_duration_seconds"
STORES = "db_client_operation_duration_seconds"


def quantile(share: float, by: str, metric: str, more: str = "") -> str:
    """The `share` quantile of a histogram, by a label."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{more}{C}}}[{R}])))"


LATENCY = Dashboard(
    "latency",
    "latency and cost",
    "How long calls take, what of that is the proxy's, and what a call costs.",
    (
        Panel(
            "Calls: median",
            (Query(quantile(0.5, "rpc_method", CALLS), "{{rpc_method}}"),),
            "Half of the calls are quicker.",
            "Compare it with what services saw without the proxy.",
            unit="s",
        ),
        Panel(
            "Calls: 99th percentile",
            (Query(quantile(0.99, "rpc_method", CALLS), "{{rpc_method}}"),),
            "One call in a hundred is slower. A change of the primary shows as a peak: its hold.",
            "Peaks without a change of stage come from a store: see the stores' panels.",
            unit="s",
        ),
        Panel(
            "Added by the proxy",
            (
                Query(
                    quantile(0.5, "crossfade_collection", "crossfade_call_added_seconds"),
                    "median of {{crossfade_collection}}",
                ),
                Query(
                    quantile(0.99, "crossfade_collection", "crossfade_call_added_seconds"),
                    "99th of {{crossfade_collection}}",
                ),
            ),
            "Time of a call that no store took: the proxy's own work, and waiting for a hold.",
            "If it grows with the load, the proxies want more CPU or more replicas.",
            unit="s",
        ),
        Panel(
            "Stores: 99th percentile",
            (
                Query(
                    quantile(0.99, "db_system_name, crossfade_role, db_operation_name", STORES),
                    "{{crossfade_role}} {{db_operation_name}} on {{db_system_name}}",
                ),
            ),
            "Time of operations on the stores, by the store's role.",
            "A mirror slower than mirror_timeout is deferred in MONGO_PRIMARY; in DYNAMO_PRIMARY clients wait for it.",
            unit="s",
            width=12,
        ),
        Panel(
            "Failures of the stores",
            (
                Query(
                    f'sum by (db_system_name, crossfade_role, error_type) (rate({STORES}_count{{error_type!="",{C}}}[{R}]))'
                    " or on () vector(0)",
                    "{{error_type}} of {{crossfade_role}} {{db_system_name}}",
                ),
            ),
            "Operations that failed, by reason. ALREADY_EXISTS is an answer, not a fault.",
            "THROTTLED: raise the table's capacity. UNAVAILABLE: the store, or the way to it.",
            unit="ops",
            width=12,
        ),
        Panel(
            "Operations on stores for a call",
            (
                Query(
                    f"sum by (crossfade_role, db_system_name) (rate({STORES}_count{{{C}}}[{R}]))"
                    f" / on () group_left () sum(rate({CALLS}_count{{{C}}}[{R}]))",
                    "{{crossfade_role}} {{db_system_name}}",
                ),
            ),
            "What the migration costs the stores: the mirror's writes and the shadow's reads on top of the primary's.",
            "The shadow's part is shadow_rate's to set.",
        ),
        Panel(
            "Operations on DynamoDB a second",
            (
                Query(
                    "sum by (crossfade_role, db_operation_name)"
                    f' (rate({STORES}_count{{db_system_name="aws.dynamodb",{C}}}[{R}]))',
                    "{{crossfade_role}} {{db_operation_name}}",
                ),
            ),
            "What DynamoDB bills for, by what it was for.",
            "A write of a KB is one unit and one more for each index entry that changes; a shadow read bills as a read.",
            unit="ops",
        ),
        Panel(
            "Capacity units of DynamoDB a second",
            (
                Query(
                    f"sum by (crossfade_collection, crossfade_access) (rate(crossfade_dynamodb_capacity_total{{{C}}}[{R}]))",
                    "{{crossfade_access}}s of {{crossfade_collection}}",
                ),
            ),
            "What DynamoDB bills, jobs and shadow reads included, as its answers tell it; failed writes are billed and not told.",
            "With on-demand tables, units an hour times the price. A backfill's peak passes.",
            unit="short",
        ),
        Panel(
            "CPU for a call",
            (
                Query(
                    f"sum(rate(process_cpu_time_seconds_total[{R}])) / sum(rate({CALLS}_count[{R}]))",
                    "CPU seconds",
                ),
            ),
            "CPU time of all proxies over all their calls; mirror writes, shadow reads and jobs are in it.",
            "Size the proxies by it: calls a second times this is the number of busy cores.",
            unit="s",
        ),
        Panel(
            "CPU of each replica",
            (Query(f"sum by (instance) (rate(process_cpu_time_seconds_total[{R}]))", "{{instance}}"),),
            "Busy cores. One process uses one core at most.",
            "Near 1, calls queue: add replicas, or processes with CROSSFADE_REUSE_PORT.",
        ),
        Panel(
            "Memory of each replica",
            (Query("sum by (instance) (process_memory_usage_bytes)", "{{instance}}"),),
            "Resident memory.",
            "It is bounded whatever the size of a collection; growth without an end is a fault to report.",
            unit="bytes",
        ),
        Panel(
            "Shed a second",
            (Query(f"sum by (crossfade_work) (rate(crossfade_shed_total[{R}]))", "{{crossfade_work}}"),),
            "What gave way because there was too much to do: shadow reads first, then the pace of jobs, then calls.",
            "Calls that are shed are refused as OVERLOADED: add replicas, or raise CROSSFADE_MAX_CALLS where CPU is left.",
            unit="ops",
        ),
        Panel(
            "Waiting",
            (
                Query(
                    f"sum by (crossfade_queue) (crossfade_queue_length{{{C}}})",
                    "{{crossfade_queue}}",
                ),
            ),
            "Documents to be compared, rows to be looked at again, divergences to be recorded, tombstones to be purged.",
            "Each is bounded by a setting of the collection; what does not fit is counted, and lost as evidence alone.",
        ),
        Panel(
            "Connections",
            (
                Query(
                    "sum by (db_client_connection_pool_name, crossfade_state) (db_client_connection_count)",
                    "{{db_client_connection_pool_name}} {{crossfade_state}}",
                ),
                Query(
                    "sum by (db_client_connection_pool_name) (db_client_connection_pending_requests)",
                    "{{db_client_connection_pool_name}} waiting",
                ),
            ),
            "Connections to the stores, and operations that wait for one.",
            "Any that wait: a store is slow, or the load wants more replicas.",
        ),
    ),
)
