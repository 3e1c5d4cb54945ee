"""Members that do what the engine never does: commits that some or all can't apply, forged content, old keys.

A `Rogue` is a real client whose user has replaced the software: it has the client's keys, groups and connection, and
puts whatever it likes into the log. Its own engine goes on beside it and sees the same entries as everybody.
"""

from collections.abc import Collection
from dataclasses import replace

import msgspec

from secure_chat.client.engine.content import Body, Envelope, encode_body, kind_of
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.spaces import Room, group_space
from secure_chat.client.engine.state import State
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.transition import advance, provisional_context
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.content import AuthenticatedContent, FramedContent, Sender, SenderType
from secure_chat.mls.registry import WireFormat
from secure_chat.mls.tree.math import NodeIndex, level, node_of
from secure_chat.mls.tree.treekem import create_path
from secure_chat.mls.tree.update_path import UpdatePath, UpdatePathNode
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Append, ChannelChange, EntryKind
from secure_chat.wire.messages import Welcome as WireWelcome
from tests.scenarios.harness import Node

__all__ = ["Rogue", "poison", "room_of"]

FIRST_REQUEST = 1 << 40
"""Request ids that the engine never uses: it ignores the answers."""


def room_of(node: Node, name: str) -> Room:
    """A client's room by the name its user knows."""
    room = node.engine._names.find_room(name)
    assert room is not None, f"{node.name} has no {name}"
    return room


class Rogue:
    """A client in the hands of somebody who knows the protocol."""

    def __init__(self, node: Node) -> None:
        self.node = node
        node.world.rogues.add(node)
        self._requests = FIRST_REQUEST

    @property
    def state(self) -> State:
        """Everything that the client knows."""
        return self.node.engine._state

    def room(self, name: str) -> Room:
        """The room as the client has it."""
        return room_of(self.node, name)

    def group(self, name: str) -> Group:
        """A copy of the room's MLS group: what is done with it is not noticed by the engine."""
        return self.copy(self.room(name))

    def copy(self, room: Room) -> Group:
        """The same by the room's record."""
        rows = dict(self.node.store.scan(group_space(room.channel, room.group)))
        return Group.load(rows, self.state.authority)

    def occupants(self, name: str) -> list[Occupant]:
        """Who is in the room."""
        return self.state.occupants(self.group(name))

    def leaf(self, name: str, handle: str) -> int:
        """Somebody's leaf index."""
        return next(o.leaf_index for o in self.occupants(name) if o.identity.handle == handle)

    def append(
        self,
        name: str,
        kind: EntryKind,
        payload: bytes,
        *,
        head: int | None = None,
        change: ChannelChange | None = None,
        welcomes: tuple[WireWelcome, ...] = (),
        group_info: bytes | None = None,
    ) -> None:
        """Sends an append of its own making."""
        self.put(self.room(name), kind, payload, head=head, change=change, welcomes=welcomes, group_info=group_info)

    def put(
        self,
        room: Room,
        kind: EntryKind,
        payload: bytes,
        *,
        head: int | None = None,
        change: ChannelChange | None = None,
        welcomes: tuple[WireWelcome, ...] = (),
        group_info: bytes | None = None,
    ) -> None:
        """The same by the room's record."""
        self._requests += 1
        message = Append(
            self._requests,
            room.channel,
            self.state.next_append(),
            kind,
            room.head if head is None else head,
            payload,
            change,
            welcomes,
            group_info,
        )
        assert self.node.link is not None
        self.node.world.to_relay(self.node.link, encode_frame(message))

    def seal(
        self,
        group: Group,
        body: Body,
        *,
        counter: int,
        message_id: bytes | None = None,
        previous: bytes = bytes(16),
        chain: bytes = bytes(8),
    ) -> bytes:
        """An application message with an envelope of its own choosing."""
        envelope = Envelope(
            version=1,
            id=self.node.world.random.randbytes(16) if message_id is None else message_id,
            chain=chain,
            counter=counter,
            previous=previous,
            time=self.node.world.now,
            kind=kind_of(body),
            fallback="",
            body=msgspec.Raw(encode_body(body)),
        )
        return group.protect(envelope.encode())


def poison(group: Group, victims: Collection[int]) -> bytes:
    """A commit with a fresh path whose secrets are garbage for these leaves: right to look at, useless to have.

    Everything that all members can check holds: signature, path keys, parent hashes, tree hash, membership.
    """
    state = group._epochs.current
    tree = state.tree.copy()
    path = create_path(tree, state.own_index, state.identity, state.context.group_id)
    provisional = provisional_context(state.context, tree, state.context.extensions)
    honest = path.encrypt(tree, provisional.encode())
    nodes: list[UpdatePathNode] = []
    for step, node in zip(path.steps, honest.nodes, strict=True):
        items = [
            replace(item, ciphertext=bytes(len(item.ciphertext))) if _read_by(reader, victims) else item
            for reader, item in zip(tree.resolution(step.copath_child), node.encrypted_path_secret, strict=True)
        ]
        nodes.append(UpdatePathNode(node.encryption_key, tuple(items)))
    commit = Commit((), UpdatePath(honest.leaf_node, tuple(nodes)))
    sender = Sender(SenderType.member, state.own_index)
    framed = FramedContent(state.context.group_id, state.context.epoch, sender, b"", commit)
    signed = AuthenticatedContent.sign(
        WireFormat.mls_private_message, framed, state.channel.context, state.signature_key
    )
    after = advance(
        tree,
        provisional,
        state.interim_transcript_hash,
        signed,
        state.secrets.init_secret,
        path.commit_secret,
        group._epochs.psks.secret(state.suite, ()),
    )
    return state.channel.protect(signed.with_confirmation_tag(after.confirmation_tag))


def _read_by(node: NodeIndex, leaves: Collection[int]) -> bool:
    reach = (1 << level(node)) - 1
    return any(node - reach <= node_of(leaf) <= node + reach for leaf in leaves)
