"""The command line `secure-chat client …`."""

from secure_chat.ui.cli.group import client

__all__ = ["client"]
