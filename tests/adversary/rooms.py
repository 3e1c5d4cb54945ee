"""Deployments to start from: people in closed rooms and conversations, everything quiet."""

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, Send
from secure_chat.client.events import Invited, SecurityKind, SecurityNotice
from tests.adversary.relay import LyingRelay
from tests.scenarios.harness import Node

__all__ = ["CLASSICAL", "closed_room", "kinds"]

CLASSICAL = 3


def closed_room(world: LyingRelay, *others: str, members_may_invite: bool = False) -> list[Node]:
    """alice's closed room #plans with these people in it; everybody has written once."""
    alice = world.join("alice")
    nodes = [alice, *(world.join(name) for name in others)]
    alice.do(CreateRoom("plans", CLASSICAL, members_may_invite))
    alice.do(InvitePeople("#plans", others))
    world.settle()
    for node in nodes[1:]:
        node.do(AcceptInvitation(node.told(Invited)[-1].invitation.room))
    world.settle()
    for node in nodes:
        node.do(Send("#plans", f"{node.name} is in"))
    world.settle()
    return nodes


def kinds(node: Node) -> set[SecurityKind]:
    """What a client was told of."""
    return {notice.kind for notice in node.told(SecurityNotice)}
