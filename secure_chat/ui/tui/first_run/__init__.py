"""Joining, inside the terminal UI: link, name, how this computer keeps its key, and in the lobby."""
