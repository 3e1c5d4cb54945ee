"""QR codes as text, two modules a character."""

import io

__all__ = ["qr_lines"]


def qr_lines(text: str) -> list[str]:
    """The code in lines of half blocks, light on dark as most terminals are."""
    import segno  # 36 ms: only where a code is shown

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, compact=True)
    return out.getvalue().rstrip("\n").split("\n")
