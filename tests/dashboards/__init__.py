"""Dashboards and alerts against a real Prometheus; `python -m tests.dashboards` prints what came of each."""
