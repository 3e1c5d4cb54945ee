"""The terminal UI. Textual takes its settings from the environment when it is imported, so they are made here."""

import os

os.environ.setdefault("TEXTUAL_FPS", "200")
"""A key waits for the next picture: at Textual's own 60 a second that alone may take 17 ms. Only changes are drawn."""
