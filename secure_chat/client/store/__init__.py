"""The client's encrypted store: `Store` and, by idea, its schema, history and search."""

from secure_chat.client.store.store import Store

__all__ = ["Store"]
