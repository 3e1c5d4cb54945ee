"""A tour of everything that a person may ask for: each command has its effect, each event is told by something."""

import pytest

from secure_chat.client import commands, events, queries
from secure_chat.client.commands import (
    COMMANDS,
    AcceptInvitation,
    AcceptKey,
    Ban,
    Block,
    CancelMessage,
    CreateInviteLink,
    CreateRoom,
    DeclineInvitation,
    Delete,
    DeleteAccount,
    Demote,
    Edit,
    InvitePeople,
    JoinRoom,
    Kick,
    LeaveRoom,
    MarkRead,
    MarkVerified,
    Mute,
    Promote,
    React,
    Reconnect,
    RecoveryCodeSeen,
    RefreshKeys,
    RenameRoom,
    RestartRoom,
    RetryMessage,
    RevokeDevice,
    Send,
    SetAddress,
    SetInvitePolicy,
    SetReadReceipts,
    SetVisible,
    StartDirect,
    Typing,
    Unban,
    Unblock,
    Unmute,
    Unverify,
)
from secure_chat.client.events import EVENTS, FailureCode, ShuttingDown
from secure_chat.client.queries import (
    GetDevices,
    GetHistory,
    GetInvitations,
    GetMembers,
    GetMessage,
    GetOpenRooms,
    GetPeople,
    GetRecoveryCode,
    GetRoomCode,
    GetRooms,
    GetSafetyNumber,
    GetStatus,
    Search,
)
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    DeviceView,
    InvitationView,
    MemberView,
    MessageView,
    OpenRoomView,
    PersonView,
    RoomCodeView,
    RoomView,
    SafetyNumberView,
    StatusView,
    Trust,
)
from secure_chat.identity.invite import InviteLink
from secure_chat.identity.keys import AccountKey, decode_recovery_code
from tests.scenarios.harness import Node, World, world

SHELL_QUERIES: set[type] = {GetHistory, Search}
"""Answered from the store, without the engine."""


class Tour:
    """Remembers what was asked."""

    def __init__(self, deployment: World) -> None:
        self.world = deployment
        self.asked: set[type] = set()

    def do(self, node: Node, command: commands.Command) -> object:
        self.asked.add(type(command))
        result = node.do(command)
        self.world.settle(2_000)
        return result

    def room(self, node: Node, name: str) -> RoomView:
        views = self.do(node, GetRooms())
        assert isinstance(views, tuple)
        return next(view for view in views if isinstance(view, RoomView) and view.name == name)

    def person(self, node: Node, handle: str) -> PersonView:
        views = self.do(node, GetPeople())
        assert isinstance(views, tuple)
        return next(view for view in views if isinstance(view, PersonView) and view.handle == handle)

    def handles(self, node: Node, room: str) -> dict[str, MemberView]:
        views = self.do(node, GetMembers(room))
        assert isinstance(views, tuple)
        return {view.handle: view for view in views if isinstance(view, MemberView)}


def test_every_command_has_its_effect_and_every_event_is_told() -> None:
    """One deployment in which everything that can be asked is asked once."""
    with world() as w:
        tour = Tour(w)
        alice, bob, carol = (w.join(name) for name in ("alice", "bob", "carol"))
        _messages(tour, alice, bob)
        _closed_rooms(tour, alice, bob, carol)
        _open_rooms(tour, alice, bob, carol)
        _people(tour, alice, bob)
        _changed_key(tour, alice, bob)
        _own_account(tour, alice, bob)
        told = {type(event) for node in w.nodes.values() for event in node.events}
        assert set(COMMANDS) - tour.asked == SHELL_QUERIES
        assert set(EVENTS) - told == {ShuttingDown, events.Progress}


def _messages(tour: Tour, alice: Node, bob: Node) -> None:
    message = tour.do(alice, Send("#lobby", "hello bob"))
    assert isinstance(message, str)
    assert bob.told(events.MessageAdded)[-1].mention
    lobby = tour.room(bob, "lobby")
    assert (lobby.unread, lobby.mentions) == (1, 1)
    tour.do(bob, SetReadReceipts(True))
    tour.do(bob, MarkRead("#lobby", message))
    assert tour.room(bob, "lobby").unread == 0
    tour.world.settle(20_000)
    reply = tour.do(bob, Send("#lobby", "hi", reply_to=message))
    tour.do(bob, Edit(str(reply), "hi alice"))
    tour.do(alice, React(str(reply), "👍"))
    tour.do(bob, Typing("#lobby"))
    assert alice.told(events.TypingSeen)[-1].handle == "bob"
    view = tour.do(alice, GetMessage(str(reply)))
    assert isinstance(view, MessageView)
    assert (view.text, view.edited, view.reply_to) == ("hi alice", True, message)
    assert [(r.emoji, r.handles) for r in view.reactions] == [("👍", ("alice",))]
    tour.do(alice, React(str(reply), "👍", remove=True))
    tour.do(bob, Delete(str(reply)))
    gone = tour.do(alice, GetMessage(str(reply)))
    assert isinstance(gone, MessageView)
    assert gone.deleted
    assert gone.text == ""
    alice.go_offline()
    waiting = tour.do(alice, Send("#lobby", "never mind"))
    tour.do(alice, CancelMessage(str(waiting)))
    alice.go_online()
    tour.world.settle()
    assert "never mind" not in bob.texts()
    first = tour.do(alice, GetMessage(str(message)))
    assert isinstance(first, MessageView)
    assert first.state is DeliveryState.DELIVERED  # carol keeps to herself what she has read


def _closed_rooms(tour: Tour, alice: Node, bob: Node, carol: Node) -> None:
    room = str(tour.do(alice, CreateRoom("team")))
    tour.do(alice, InvitePeople("#team", ("bob", "carol")))
    waiting = tour.do(bob, GetInvitations())
    assert isinstance(waiting, tuple)
    assert [(i.name, i.inviter) for i in waiting if isinstance(i, InvitationView)] == [("team", "alice")]
    assert tour.handles(alice, "#team")["bob"].invited
    tour.do(bob, AcceptInvitation("#team"))
    tour.do(carol, DeclineInvitation("#team"))
    assert set(tour.handles(alice, "#team")) == {"alice", "bob"}
    assert carol.told(events.RoomRemoved)
    assert bob.fails(RenameRoom("#team", "crew")) is FailureCode.NOT_ALLOWED
    tour.do(alice, RenameRoom("#team", "crew"))
    assert tour.room(bob, "crew").id == room
    tour.do(alice, SetInvitePolicy("#crew", True))
    tour.do(bob, InvitePeople("#crew", ("carol",)))
    tour.do(carol, AcceptInvitation("#crew"))
    tour.do(alice, Promote("#crew", "bob"))
    assert tour.handles(carol, "#crew")["bob"].admin
    tour.do(alice, Demote("#crew", "bob"))
    assert not tour.handles(carol, "#crew")["bob"].admin
    epoch = tour.room(alice, "crew").epoch
    tour.do(bob, RefreshKeys("#crew"))
    assert tour.room(alice, "crew").epoch == epoch + 1
    tour.do(alice, Kick("#crew", "carol"))
    assert carol.told(events.RoomRemoved)[-1].by == "alice"
    assert carol.fails(Send("#crew", "still here?")) is FailureCode.NOT_ALLOWED
    tour.do(alice, RestartRoom("#crew", suite=3))
    restarted = tour.room(bob, "crew")
    assert (restarted.epoch, restarted.suite, restarted.joined) == (1, 3, True)
    codes = [tour.do(node, GetRoomCode("#crew")) for node in (alice, bob)]
    assert all(isinstance(code, RoomCodeView) for code in codes)
    assert codes[0] == codes[1]
    tour.do(bob, LeaveRoom("#crew"))
    assert set(tour.handles(alice, "#crew")) == {"alice"}


def _open_rooms(tour: Tour, alice: Node, bob: Node, carol: Node) -> None:
    tour.do(alice, JoinRoom("#garden"))
    tour.do(bob, JoinRoom("garden"))
    listed = tour.do(carol, GetOpenRooms())
    assert isinstance(listed, tuple)
    assert [(o.name, o.joined) for o in listed if isinstance(o, OpenRoomView)] == [("garden", False), ("lobby", True)]
    tour.do(carol, JoinRoom("garden"))
    tour.do(carol, Mute("#garden"))
    tour.do(bob, Send("#garden", "carol?"))
    assert tour.room(carol, "garden").mentions == 0
    tour.do(carol, Unmute("#garden"))
    tour.do(alice, Ban("#garden", "carol"))
    assert carol.fails(JoinRoom("garden")) is FailureCode.REFUSED
    tour.do(alice, Unban("#garden", "carol"))
    tour.do(carol, JoinRoom("garden"))
    assert set(tour.handles(alice, "#garden")) == {"alice", "bob", "carol"}


def _people(tour: Tour, alice: Node, bob: Node) -> None:
    tour.do(alice, StartDirect("bob"))
    tour.do(alice, Send("bob", "just us"))
    numbers = tour.do(alice, GetSafetyNumber("bob")), tour.do(bob, GetSafetyNumber("alice"))
    assert isinstance(numbers[0], SafetyNumberView)
    assert isinstance(numbers[1], SafetyNumberView)
    assert numbers[0].number == numbers[1].number
    assert alice.fails(MarkVerified("bob", "1" * 60)) is FailureCode.INVALID
    tour.do(alice, MarkVerified("bob", numbers[1].qr))
    assert tour.person(alice, "bob").trust is Trust.VERIFIED
    assert tour.room(alice, "lobby").verified == 1
    tour.do(alice, Unverify("bob"))
    assert tour.person(alice, "bob").trust is Trust.FIRST_USE
    tour.do(bob, Block("alice"))
    tour.do(alice, Send("bob", "unheard"))
    assert "unheard" not in bob.texts()
    tour.do(bob, Unblock("alice"))
    tour.do(alice, Send("bob", "heard"))
    assert "heard" in bob.texts()
    alice.go_offline()
    tour.world.settle(120_000)
    assert [e.online for e in bob.told(events.PresenceChanged) if e.handle == "alice"][-1] is False
    alice.go_online()
    tour.world.settle(60_000)
    assert tour.person(bob, "alice").online


def _changed_key(tour: Tour, alice: Node, bob: Node) -> None:
    """The relay vouches for another key under carol's name, and lets its holder into the lobby."""
    w = tour.world
    w.nodes["carol"].do(Send("alice", "it is me"))
    w.settle()
    tour.do(alice, MarkVerified("carol"))
    impostor = w.impersonate("carol", "mallory")
    w.settle(20_000)
    assert alice.told(events.KeyChanged)[-1].was_verified
    assert tour.person(alice, "carol").trust is Trust.CHANGED
    assert alice.fails(Send("carol", "really?")) is FailureCode.BLOCKED
    assert alice.fails(Send("#lobby", "in front of a stranger?")) is FailureCode.BLOCKED
    tour.do(alice, AcceptKey("carol", alice.told(events.KeyChanged)[-1].new))
    tour.do(alice, Send("#lobby", "all right"))
    assert "all right" in impostor.texts()


def _own_account(tour: Tour, alice: Node, bob: Node) -> None:
    w = tour.world
    link = InviteLink.parse(str(tour.do(alice, CreateInviteLink())))
    assert (link.host, link.port) == ("localhost", 7443)
    status = tour.do(bob, GetStatus())
    assert isinstance(status, StatusView)
    assert (status.handle, status.connection) == ("bob", ConnectionState.ONLINE)
    code = str(tour.do(bob, GetRecoveryCode()))
    account: AccountKey = decode_recovery_code(code)
    laptop = w.join("bob", account=account, profile="bob's laptop")
    laptop.do(Send("#lobby", "from my laptop"))
    w.settle()
    assert alice.told(events.NewDevice)[-1].handle == "bob"
    devices = tour.do(bob, GetDevices())
    assert isinstance(devices, tuple)
    views = [view for view in devices if isinstance(view, DeviceView)]
    other = next(view.id for view in views if not view.current)
    tour.do(bob, RevokeDevice(other))
    tour.do(bob, RecoveryCodeSeen())
    w.settle(20_000)
    assert tour.handles(alice, "#lobby")["bob"].devices == 1
    assert laptop.told(events.ConnectionChanged)[-1].state is ConnectionState.OFFLINE
    tour.do(bob, SetVisible(False))
    tour.do(bob, SetAddress("127.0.0.1:7444"))
    w.settle()
    assert bob.engine.address == "127.0.0.1:7444"
    tour.do(bob, Reconnect())
    w.settle()
    assert bob.fails(RetryMessage("00" * 16)) is FailureCode.INVALID
    failed = _failed_message(w, bob)
    tour.do(bob, RetryMessage(failed))
    assert bob.fails(DeleteAccount("robert")) is FailureCode.INVALID
    tour.do(bob, DeleteAccount("bob"))
    w.settle(20_000)
    assert "bob" not in tour.handles(alice, "#lobby")


def _failed_message(w: World, bob: Node) -> str:
    """Somebody loses the room while a message waits; let in again, they send it after all."""
    alice = w.nodes["alice"]
    bob.go_offline()
    failed = str(bob.do(Send("#garden", "too late")))
    alice.do(Kick("#garden", "bob"))
    bob.go_online()
    w.settle()
    view = bob.store.message(failed)
    assert view is not None
    assert view.state is DeliveryState.FAILED
    bob.do(JoinRoom("garden"))
    w.settle()
    return failed


@pytest.mark.parametrize("query", [GetHistory("#lobby"), Search("word")])
def test_the_engine_leaves_the_history_to_the_store(query: queries.Query) -> None:
    """History and search are answered by the shell; asked all the same, the engine says so."""
    with world() as w:
        assert w.join("alice").fails(query) is FailureCode.INTERNAL
