"""A soak: mixed load and faults for minutes on real proxies, after which memory and latency must be flat."""
