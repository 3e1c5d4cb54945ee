"""Cipher suites for tests: all rows of the table, and one that other implementations number differently."""

from secure_chat.mls.crypto.suite import SUITES, CipherSuite

ALL_SUITES: list[CipherSuite] = list(SUITES.values())
FAST = SUITES[3]
"""The suite that tests use where any will do: the product's classical one, and among the fastest."""
XWING = SUITES[0xF00E]
XWING_TS_MLS_1 = XWING.with_number(0x0054)
"""X-Wing under the number that ts-mls 1.x gives it; tests that talk to ts-mls add it to `SUITES`."""
