"""Suite numbers that only tests accept: ts-mls 1.6 knows the X-Wing suite as 0x0054."""

from secure_chat.mls.crypto.suite import SUITES

__all__ = ["XWING", "XWING_TS_MLS", "accept_draft_suites"]

XWING = 0xF00E
XWING_TS_MLS = 0x0054


def accept_draft_suites() -> None:
    """Add the rows to the table of this process."""
    SUITES.setdefault(XWING_TS_MLS, SUITES[XWING].with_number(XWING_TS_MLS))
