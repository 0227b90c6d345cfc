"""Every dashboard, in the order in which one looks at them."""

from deploy.dashboards.cutover import CUTOVER
from deploy.dashboards.divergences import DIVERGENCES
from deploy.dashboards.latency import LATENCY
from deploy.dashboards.overview import OVERVIEW

DASHBOARDS = (OVERVIEW, DIVERGENCES, LATENCY, CUTOVER)
