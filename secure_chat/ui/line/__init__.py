"""The line mode: a prompt that stays below what comes in."""
