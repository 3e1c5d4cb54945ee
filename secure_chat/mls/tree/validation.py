"""Whether a received ratchet tree is sound: RFC 9420 §12.4.3.1, §7.3 and §7.9.2."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

from secure_chat.mls.credential.extensions import Extension, required_capabilities_of
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.errors import CryptoError, ValidationError
from secure_chat.mls.tree.hashes import leaf_tree_hash, parent_hash, parent_tree_hash
from secure_chat.mls.tree.math import NodeIndex, is_leaf, leaf_of, left, node_of, parent, right, span
from secure_chat.mls.tree.parent_node import ParentNode
from secure_chat.mls.tree.ratchet_tree import RatchetTree

__all__ = ["check_members", "original_tree_hash", "validate_tree", "verify_parent_hashes"]


def validate_tree(
    tree: RatchetTree, group_id: bytes, extensions: tuple[Extension, ...], policy: CredentialPolicy
) -> None:
    """All that a joiner verifies of a tree (§12.4.3.1), apart from its hash; `extensions` are the GroupContext's.

    Raises ValidationError or CryptoError; bounded by about n · log² n hashes for n nodes.
    """
    check_members(tree, extensions)
    _check_unmerged_leaves(tree)
    for _, node in tree.parents():
        # §5.1.1: a public key is one of the suite's KEM.
        try:
            tree.suite.kem.check_public_key(node.encryption_key)
        except CryptoError as error:
            raise ValidationError(f"encryption_key of a parent node: {error} (RFC 9420 §5.1.1)") from None
    verify_parent_hashes(tree)
    for index, leaf in tree.leaves():
        leaf.validate(tree.suite, None, group_id, index)
        policy.validate(leaf.credential, leaf.signature_key)


def check_members(tree: RatchetTree, extensions: tuple[Extension, ...]) -> None:
    """The rules of §7.3 between members and with the GroupContext's `extensions`; ValidationError if one is broken."""
    tree.check_unique_keys()
    tree.members.check_credentials()
    tree.members.check_extensions(extensions)
    tree.members.check_required(required_capabilities_of(extensions))


def _check_unmerged_leaves(tree: RatchetTree) -> None:
    """§12.4.3.1: what `unmerged_leaves` may contain."""
    nodes = dict(tree.parents())
    for node in nodes.values():
        # §7.1: in increasing order.
        if any(a >= b for a, b in pairwise(node.unmerged_leaves)):
            raise ValidationError("unmerged_leaves are not in increasing order (RFC 9420 §7.1)")
    top = tree.root
    for index, node in nodes.items():
        leaves = node.unmerged_leaves
        first, last = span(index)
        for leaf in leaves:
            # §12.4.3.1: a non-blank leaf below the node.
            if not first <= leaf <= last or tree.leaf(leaf) is None:
                raise ValidationError("unmerged_leaves names no member below the node (RFC 9420 §12.4.3.1)")
        above = index
        while above != top:
            above = parent(above)
            ancestor = nodes.get(above)
            if ancestor is not None:
                # §12.4.3.1: unmerged above means unmerged in all nodes between; nearest pairs suffice.
                if not set(leaves).issuperset(_within(ancestor, index)):
                    raise ValidationError(
                        "a leaf is unmerged at a node but not at one between them (RFC 9420 §12.4.3.1)"
                    )
                break


def _within(node: ParentNode, subtree: NodeIndex) -> tuple[int, ...]:
    """The unmerged leaves of `node` that lie below `subtree`."""
    first, last = span(subtree)
    leaves = node.unmerged_leaves
    return leaves[bisect_left(leaves, first) : bisect_right(leaves, last)]


def verify_parent_hashes(tree: RatchetTree) -> None:
    """§7.9.2: every non-blank parent node was set together with exactly one node below it."""
    hashes: dict[tuple[NodeIndex, tuple[int, ...]], bytes] = {}
    for index, node in tree.parents():
        children = (left(index), right(index))
        matches = sum(_descends_from(tree, hashes, node, child, other) for child, other in (children, children[::-1]))
        if matches != 1:
            raise ValidationError("a parent node is not parent-hash valid (RFC 9420 §7.9.2)")


def _descends_from(
    tree: RatchetTree,
    hashes: dict[tuple[NodeIndex, tuple[int, ...]], bytes],
    node: ParentNode,
    child: NodeIndex,
    other: NodeIndex,
) -> bool:
    """Whether the node that `node` was set together with lies in the resolution of `child`."""
    unmerged = {node_of(leaf) for leaf in _within(node, child)}
    resolution = tree.resolution(child)
    # §7.9.2: the resolution is the unmerged leaves and one node more.
    rest = [candidate for candidate in resolution if candidate not in unmerged]
    if len(rest) != 1 or len(resolution) != len(unmerged) + 1:
        return False
    descendant = tree.node(rest[0])
    assert descendant is not None
    found = descendant.parent_hash
    return found is not None and found == parent_hash(
        tree.suite, node, original_tree_hash(tree, other, _within(node, other), hashes)
    )


def original_tree_hash(
    tree: RatchetTree,
    node: NodeIndex,
    removed: tuple[int, ...],
    known: dict[tuple[NodeIndex, tuple[int, ...]], bytes],
) -> bytes:
    """§7.9: the tree hash of `node` as if the leaves `removed`, all below it, had never been added.

    `known` keeps results for reuse between calls on the same tree.
    """
    if not removed:
        return tree.tree_hash(node)
    key = (node, removed)
    result = known.get(key)
    if result is None:
        if is_leaf(node):
            result = leaf_tree_hash(tree.suite, leaf_of(node), None)
        else:
            split = bisect_right(removed, span(left(node))[1])
            value = tree.node(node)
            assert value is None or isinstance(value, ParentNode)
            result = parent_tree_hash(
                tree.suite,
                None if value is None else value.without_unmerged(frozenset(removed)),
                original_tree_hash(tree, left(node), removed[:split], known),
                original_tree_hash(tree, right(node), removed[split:], known),
            )
        known[key] = result
    return result
