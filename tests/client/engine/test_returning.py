"""Rooms of more people than one commit adds: inviting them, and starting the room anew."""

from collections.abc import Iterator
from contextlib import contextmanager

from secure_chat.client.commands import (
    AcceptInvitation,
    CreateRoom,
    InvitePeople,
    Promote,
    RestartRoom,
    Send,
)
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.queries import GetMembers
from secure_chat.client.views import MemberView
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT
from tests.adversary.members import room_of
from tests.fast_suite import fast_suites
from tests.scenarios.harness import Node, World, world

PEOPLE = MAX_ADDS_PER_COMMIT + 6


@contextmanager
def large_room() -> Iterator[tuple[World, Node, list[Node]]]:
    """An admin and so many others in #plans; the others were invited by one command."""
    with fast_suites(), world() as w:
        admin = w.join("admin")
        nodes = [w.add(f"person{number}") for number in range(PEOPLE)]
        for node in nodes:
            node.connect_at = w.now
            node.connect()
        w.settle(30_000)
        admin.do(CreateRoom("plans", suite=3))
        admin.do(InvitePeople("#plans", tuple(node.name for node in nodes)))
        w.settle()
        for node in nodes:
            node.do(AcceptInvitation("#plans"))
        yield w, admin, nodes


def everybody_is_back(admin: Node, nodes: list[Node], without: Node) -> None:
    """In one group, as full members, and all read what one writes; but for who was left out."""
    staying = [node for node in nodes if node is not without]
    epochs = {node.rooms()["#plans"].epoch for node in staying}
    assert epochs == {admin.rooms()["#plans"].epoch}
    members = admin.do(GetMembers("#plans"))
    assert isinstance(members, tuple)
    assert len(members) == len(staying) + 1
    assert not any(member.invited for member in members if isinstance(member, MemberView))
    staying[-1].do(Send("#plans", "all here?"))
    admin.world.settle()
    for node in staying:
        assert "all here?" in node.texts()
    assert "all here?" not in without.texts()
    assert room_of(without, "#plans").phase == Phase.LEFT


def test_a_large_room_started_anew_has_everybody_but_who_was_left_out() -> None:
    """More than one commit adds: the others follow by themselves, without an invitation."""
    with large_room() as (w, admin, nodes):
        admin.do(RestartRoom("#plans", (nodes[3].name,)))
        w.settle(30_000)
        everybody_is_back(admin, nodes, nodes[3])
        assert any(line.text.endswith(" is back") for line in admin.history())


def test_another_admin_brings_back_whom_the_founder_left_behind() -> None:
    """The founder's machine dies as soon as the room has begun anew."""
    with large_room() as (w, admin, nodes):
        admin.do(Promote("#plans", nodes[-1].name))
        generation = room_of(admin, "#plans").generation
        admin.ask(RestartRoom("#plans", (nodes[3].name,)))
        w.run_until(lambda: room_of(admin, "#plans").generation > generation, 30_000)
        admin.go_offline()
        w.settle(240_000)
        admin.go_online()
        w.settle()
        everybody_is_back(admin, nodes, nodes[3])
