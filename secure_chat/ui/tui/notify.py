"""Calling the user: title, bell and desktop notification of the terminal."""

from textual.app import App

from secure_chat.ui.text import clean_line, fit, width

__all__ = ["call", "keep_title", "restore_title", "set_title"]

MAX_TITLE = 80


def set_title(app: App[str], text: str) -> None:
    """The title of the terminal's window (OSC 2)."""
    _write(app, f"\x1b]2;{_safe(text)}\x1b\\")


def keep_title(app: App[str]) -> None:
    """Has the terminal remember its title (XTWINOPS 22)."""
    _write(app, "\x1b[22;2t")


def restore_title(app: App[str]) -> None:
    """The title that was remembered."""
    _write(app, "\x1b[23;2t")


def call(app: App[str], text: str) -> None:
    """Bell, and a notification by terminals that know OSC 9. Never says what a message says."""
    app.bell()
    _write(app, f"\x1b]9;{_safe(text)}\x1b\\")


def _safe(text: str) -> str:
    """Nothing that ends the sequence early, and not too long for a title."""
    text = clean_line(text)
    return fit(text, MAX_TITLE).rstrip() if width(text) > MAX_TITLE else text


def _write(app: App[str], sequence: str) -> None:
    driver = app._driver  # Textual has no public way to set a title
    if driver is not None and not app.is_headless:
        driver.write(sequence)
