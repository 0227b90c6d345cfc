"""What every test has: the stores of the session, and names that nobody else uses."""

pytest_plugins = ["tests.fixtures.stores"]
