"""A relay for a module's tests, and a home for each test's profiles."""

from tests.client.conftest import home, relay

__all__ = ["home", "relay"]
