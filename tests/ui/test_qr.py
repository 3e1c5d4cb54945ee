"""QR codes as text."""

import segno

from secure_chat.identity.invite import InviteLink, encode_token
from secure_chat.ui.qr import qr_lines

_PIXELS = {" ": (True, True), "▀": (False, True), "▄": (True, False), "█": (False, False)}
"""Dark above and below: light modules are drawn, as on dark terminals."""


def test_drawn_code_is_the_code() -> None:
    """Module by module, with its quiet zone."""
    text = "SECURE-CHAT:V1:TEST"
    rows: list[list[bool]] = []
    for line in qr_lines(text):
        rows += [[_PIXELS[character][half] for character in line] for half in (0, 1)]
    code = segno.make(text, error="l", micro=False)
    wanted = [[bool(module) for module in row] for row in code.matrix_iter(border=4)]
    assert rows[: len(wanted)] == wanted


def test_invite_link_fits_a_small_terminal() -> None:
    """What people scan most stands on one screen."""
    link = InviteLink("chat.example.org", 7443, bytes(range(32)), encode_token(bytes(range(16))))
    lines = qr_lines(str(link))
    assert len(lines) <= 23
    assert max(map(len, lines)) < 80
