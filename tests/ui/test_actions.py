"""The table of commands, and how typed words become them."""

import pytest

from secure_chat.client import commands, queries
from secure_chat.client.commands import COMMANDS, Command
from secure_chat.ui.actions import ACTIONS
from secure_chat.ui.arguments import Arguments, InputError, Kind, parse

WRITTEN_OUT = {
    commands.Send,  # send, reply, msg
    commands.MarkVerified,  # verify
    commands.StartDirect,  # msg; send to a person
    commands.CreateInviteLink,  # invite-link
    commands.DeleteAccount,  # delete-account
    commands.RecoveryCodeSeen,  # by joining and by opening the chat
    queries.GetHistory,  # history
    queries.Search,  # search
    queries.GetSafetyNumber,  # fingerprint, verify
}


def build(name: str, *words: str, room: str = "") -> Command:
    return ACTIONS[name].build(parse(ACTIONS[name], words, room=room))


def test_every_command_of_the_engine_has_a_name_for_users() -> None:
    """Nothing that the engine can do is out of reach."""
    built = {type(action.build(Arguments(number=1, message="0" * 32))) for action in ACTIONS.values()}
    assert built | WRITTEN_OUT == set(COMMANDS)
    assert not built & WRITTEN_OUT


@pytest.mark.parametrize("name", ACTIONS)
def test_every_example_parses(name: str) -> None:
    """What help shows can be typed."""
    action = ACTIONS[name]
    words = action.example.replace("'", "").split()
    action.build(parse(action, words, message=lambda reference: reference or "0" * 32))


@pytest.mark.parametrize(
    ("name", "words", "command"),
    [
        ("kick", ("#a", "bob"), commands.Kick("#a", "bob")),
        ("kick", ("#a", "@bob"), commands.Kick("#a", "bob")),
        ("invite", ("#a", "bob,", "carol"), commands.InvitePeople("#a", ("bob", "carol"))),
        ("join-room", ("#a",), commands.JoinRoom("a")),
        ("create", ("a", "--classical"), commands.CreateRoom("a", suite=3)),
        ("create", ("--members-invite", "#a"), commands.CreateRoom("a", members_may_invite=True)),
        ("accept", ("a",), commands.AcceptInvitation("#a")),
        ("invite-policy", ("#a", "off"), commands.SetInvitePolicy("#a", False)),
        ("code", ("#a", "7"), queries.GetRoomCode("#a", 7)),
        ("code", ("#a",), queries.GetRoomCode("#a")),
        ("edit", ("ab" * 16, "new", "text"), commands.Edit("ab" * 16, "new text")),
        ("restart", ("#a",), commands.RestartRoom("#a", ())),
    ],
)
def test_words_become_commands(name: str, words: tuple[str, ...], command: Command) -> None:
    """As on the command line, where everything is named."""
    assert build(name, *words) == command


@pytest.mark.parametrize(
    ("name", "words", "command"),
    [
        ("kick", ("bob",), commands.Kick("current", "bob")),
        ("kick", ("#other", "bob"), commands.Kick("#other", "bob")),
        ("leave", (), commands.LeaveRoom("current")),
        ("rename", ("new",), commands.RenameRoom("current", "new")),
    ],
)
def test_current_room_need_not_be_named(name: str, words: tuple[str, ...], command: Command) -> None:
    """As in the chat, where a `#name` overrides the current room."""
    assert build(name, *words, room="current") == command


def test_message_references_are_resolved() -> None:
    """`^2`, an id or nothing at all."""
    action = ACTIONS["react"]

    def message(reference: str) -> str:
        return {"^2": "second", "": "last"}[reference]

    assert parse(action, ["^2", "👍"], message=message).message == "second"
    assert parse(action, ["👍"], message=message).message == "last"
    assert parse(action, ["ab" * 16, "👍"], message=message).message == "ab" * 16


def test_text_keeps_its_spaces() -> None:
    """The rest of a typed line is taken as it stands."""
    line = "^1 two  spaces"
    arguments = parse(ACTIONS["edit"], line.split(), message=lambda _: "id", rest=lambda n: line.split(maxsplit=n)[n])
    assert arguments.text == "two  spaces"


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("kick", (), "usage: kick ROOM PERSON   e.g. kick"),
        ("kick", ("#a",), "usage"),
        ("kick", ("#a", "bob", "carol"), "'carol' is too much"),
        ("invite-policy", ("#a", "maybe"), "either on or off"),
        ("code", ("#a", "x"), "no number"),
        ("status", ("x",), "too much"),
    ],
)
def test_wrong_words_get_the_usage(name: str, words: tuple[str, ...], message: str) -> None:
    """One line that shows how it is done."""
    with pytest.raises(InputError, match=message):
        build(name, *words)


def test_no_command_takes_two_of_a_kind() -> None:
    """`Arguments` has one place for each."""
    for action in ACTIONS.values():
        kinds = [parameter.kind for parameter in action.parameters]
        assert len(set(kinds) | ({Kind.ROOM} if Kind.NAME in kinds else set())) >= len(kinds)
