"""Suite numbers that only tests accept: ts-mls 1.6 knows the X-Wing suite as 0x0054."""

from collections.abc import Iterator
from contextlib import contextmanager

from secure_chat.mls.crypto.suite import SUITES

__all__ = ["XWING", "XWING_TS_MLS", "accept_draft_suites"]

XWING = 0xF00E
XWING_TS_MLS = 0x0054


@contextmanager
def accept_draft_suites() -> Iterator[None]:
    """Within the block, the table of this process has the further rows."""
    SUITES[XWING_TS_MLS] = SUITES[XWING].with_number(XWING_TS_MLS)
    try:
        yield
    finally:
        del SUITES[XWING_TS_MLS]
