"""JSON of every command, result and event."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.commands import COMMANDS, Command, CreateRoom, Send
from secure_chat.client.encoding import (
    EVENT_NAMES,
    METHODS,
    VERSION,
    decode_command,
    decode_event,
    decode_result,
    encode_command,
    encode_event,
    encode_result,
    name_of,
)
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import EVENTS, CaughtUp, Done, Event, Failed, FailureCode, Result
from secure_chat.client.queries import QUERIES, GetHistory, GetMembers, GetRooms, GetStatus, Search
from secure_chat.client.views import Hit, MemberView, RoomView, StatusView

commands = st.one_of([st.from_type(kind) for kind in COMMANDS])
events = st.one_of([st.from_type(kind) for kind in EVENTS if kind not in (Done, Failed)])


def through_json(value: object) -> object:
    return json.loads(json.dumps(value))


@given(commands)
def test_every_command_comes_back_as_it_was(command: Command) -> None:
    """Method and parameters say everything about a command."""
    method, params = encode_command(command)
    assert decode_command(method, through_json(params)) == command


@given(events)
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    """Nothing of an event is lost."""
    encoded = through_json(encode_event(event))
    assert isinstance(encoded, dict)
    assert encoded["v"] == VERSION
    assert decode_event(encoded) == event


RESULTS: list[tuple[Command, type]] = [
    (GetStatus(), StatusView),
    (GetRooms(), tuple[RoomView, ...]),
    (GetMembers("#a"), tuple[MemberView, ...]),
    (Search("a"), tuple[Hit, ...]),
    (Send("#a", "b"), str),
]


@given(st.data())
def test_results_come_back_as_their_command_has_them(data: st.DataObject) -> None:
    """The command says which type to expect."""
    command, kind = data.draw(st.sampled_from(RESULTS))
    result: Result = data.draw(st.from_type(kind))
    assert decode_result(command, through_json(encode_result(result))) == result


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_has_its_type_of_result(query: type[Command]) -> None:
    """No query falls back to what actions return."""
    from secure_chat.client import encoding

    assert query in encoding._RESULTS


def test_names_cover_the_contract() -> None:
    """Every command is a method, every event but the two answers has a name."""
    assert set(METHODS.values()) == set(COMMANDS)
    assert set(EVENT_NAMES.values()) == set(EVENTS) - {Done, Failed}
    assert name_of(GetHistory) == "get_history"


def test_defaults_may_be_left_out() -> None:
    """What has a default needs no parameter."""
    assert decode_command("create_room", {"name": "x"}) == CreateRoom("x")


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("no_such", {}, FailureCode.NOT_FOUND, "no method 'no_such'"),
        ("send", {"room": "#a"}, FailureCode.INVALID, "text"),
        ("send", {"room": "#a", "text": 1}, FailureCode.INVALID, "str"),
        ("send", {"room": "#a", "text": "b", "extra": 1}, FailureCode.INVALID, "'extra'; it has reply_to, room, text"),
        ("send", ["#a", "b"], FailureCode.INVALID, "by name"),
        ("get_status", {"x": 1}, FailureCode.INVALID, "it has none"),
    ],
)
def test_wrong_calls_say_what_is_wrong(method: str, params: object, code: FailureCode, message: str) -> None:
    """One line that a person writing a bot can act on."""
    with pytest.raises(CommandFailed, match=message) as caught:
        decode_command(method, params)
    assert caught.value.code is code


def test_unknown_events_and_fields_are_passed_over() -> None:
    """A later version may add either."""
    assert decode_event({"v": 1, "event": "from_the_future"}) is None
    event = decode_event({"v": 1, "event": "caught_up", "messages": 3, "new": True})
    assert event == CaughtUp(3)


def test_documentation_names_every_method_event_and_field() -> None:
    """docs/json.md is complete."""
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    for name, kind in {**METHODS, **EVENT_NAMES}.items():
        assert f"`{name}`" in text, name
        for field in kind.__struct_fields__:
            assert f"`{field}`" in text, f"{name}.{field}"
