"""What a member puts into its leaves (RFC 9420 §7.2), as the application sees it."""

from secure_chat.mls.tree.leaf_node import LeafIdentity

__all__ = ["LeafIdentity"]
