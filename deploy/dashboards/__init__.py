"""The source of the Grafana dashboards; `python -m deploy.dashboards` writes what Grafana and people read."""
