"""Malicious relays, members and thieves."""

import pytest

pytest.register_assert_rewrite("tests.adversary.audit", "tests.adversary.evidence")
