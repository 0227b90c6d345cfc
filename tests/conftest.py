"""What every test has: the stores of the session, and names that nobody else uses."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["tests.fixtures.stores", "tests.fixtures.sharing"]


def pytest_collection_finish() -> None:
    """Modules and tests stay for good: no search for garbage needs to go through them again and again."""
    gc.collect()
    gc.freeze()
