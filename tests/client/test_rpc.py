"""JSON-RPC: every command and event, the protocol's own errors, and an orderly end."""

import json
import queue
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from secure_chat.client.api import Client
from secure_chat.client.encoding import EVENT_NAMES, METHODS, VERSION, decode_event
from secure_chat.client.events import EVENTS, Done, Event, Failed
from secure_chat.client.rpc import COMMAND_FAILED, EXTRA_METHODS, MAX_BATCH, Session
from secure_chat.client.runner import Runner
from tests.people import join
from tests.relay_process import RelayProcess


class Peer:
    """The other end of a session: what it says is written down line by line."""

    def __init__(self, client: Client) -> None:
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.session = Session(client, self.lines.put)
        self._last = 0

    def read(self) -> Any:
        return json.loads(self.lines.get(timeout=30))

    def call(self, method: str, **params: object) -> Any:
        """The answer to a call; events before it are passed over."""
        self._last += 1
        self.say({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        while (answer := self.read()).get("id") != self._last:
            pass
        return answer

    def say(self, value: object) -> None:
        assert self.session.handle_line(json.dumps(value).encode())


@pytest.fixture(scope="module")
def client(relay: RelayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_CHAT_HOME", str(tmp_path_factory.mktemp("home")))
        with join(relay, "robot") as client:
            yield client


@pytest.fixture
def peer(client: Client) -> Iterator[Peer]:
    peer = Peer(client)
    yield peer
    peer.session.close()


PARAMETERS: dict[str, object] = {
    "room": "#lobby",
    "text": "hello",
    "message": "0" * 32,
    "emoji": "👍",
    "name": "robots",
    "handle": "nobody-here",
    "key": "3f2a11c04d5e6f70",
    "handles": ["nobody-here"],
    "members_may_invite": True,
    "enabled": False,
    "visible": True,
    "address": "127.0.0.1:1",
    "device": "0" * 32,
    "confirm": "not my name",
}
LATER = ("set_address", "reconnect", "leave_room")
"""Called last: they end the connection or leave the room."""


def test_every_command_of_the_engine_is_a_method(client: Client, peer: Peer) -> None:
    """Each is understood and reaches the engine: done, or refused for a reason of its own."""
    address = client.status().address
    for name in sorted(METHODS, key=lambda name: (name in LATER, name)):
        needed = [field.name for field in fields(METHODS[name]) if field.required]
        answer = peer.call(name, **{parameter: PARAMETERS[parameter] for parameter in needed})
        assert "result" in answer or answer["error"]["code"] == COMMAND_FAILED, (name, answer)
        if "error" in answer:
            assert answer["error"]["data"]["code"] != "internal", (name, answer)
    assert "result" in peer.call("set_address", address=address)
    assert client.wait_until_online()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.one_of([st.from_type(kind) for kind in EVENTS if kind not in (Done, Failed)]))
def test_every_event_of_the_engine_is_a_notification(client: Client, peer: Peer, event: Event) -> None:
    """As it is, after `subscribe`."""
    peer.call("subscribe")
    runner = client._opened.backend
    assert isinstance(runner, Runner)
    runner._emit(event)
    while True:  # the real client's own events come in between
        line = peer.read()
        if line.get("method") == "event" and decode_event(line["params"]) == event:
            break
    assert line["params"]["v"] == VERSION
    assert line["params"]["event"] in EVENT_NAMES


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b"1", -32600),
        (b'{"id": 1, "method": "get_status"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "get_status"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
        (b"[]", -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "nonsense"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "send", "params": {"room": 1}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "backup", "params": {}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "send", "params": ["#lobby", "x"]}', -32602),
    ],
)
def test_what_is_no_call_gets_the_protocols_error(peer: Peer, line: bytes, code: int) -> None:
    """And the session goes on."""
    assert peer.session.handle_line(line)
    assert peer.read()["error"]["code"] == code
    assert peer.call("hello")["result"].startswith("secure-chat ")


def test_batches_are_answered_together_and_notifications_not_at_all(peer: Peer) -> None:
    """JSON-RPC 2.0 §6."""
    call = {"jsonrpc": "2.0", "method": "get_recovery_code"}
    peer.say([{**call, "id": "a"}, call, {**call, "id": 2}, 7])
    answers = peer.read()
    assert {str(answer["id"]) for answer in answers} == {"a", "2", "None"}
    peer.say(call)
    peer.say([call, call])
    assert peer.call("hello")["result"]
    peer.say([call] * (MAX_BATCH + 1))
    assert peer.read()["error"]["code"] == -32600


def test_events_come_only_between_subscribe_and_unsubscribe(client: Client, peer: Peer) -> None:
    """Callers that want one answer are spared the rest."""
    client.join_room("lobby")
    client.send("#lobby", "unheard")
    for method in ("subscribe", "subscribe"):
        assert peer.call(method)["result"] is None
    client.send("#lobby", "heard")
    texts = []
    while "heard" not in texts:
        line = peer.read()
        assert line["method"] == "event"
        if line["params"]["event"] == "message_added":
            texts.append(line["params"]["message"]["text"])
    assert texts == ["heard"]
    assert peer.call("unsubscribe")["result"] is None


def test_closing_answers_what_was_started_and_says_so(client: Client) -> None:
    """The last line is `closing`; what comes later is not begun."""
    peer = Peer(client)
    for number in range(20):
        peer.say({"jsonrpc": "2.0", "id": number, "method": "get_status"})
    peer.session.close()
    assert not peer.session.handle_line(b'{"jsonrpc": "2.0", "id": 99, "method": "get_status"}')
    lines = [peer.read() for _ in range(21)]
    assert {line.get("id") for line in lines[:-1]} == set(range(20))
    assert lines[-1] == {"jsonrpc": "2.0", "method": "closing"}
    assert peer.lines.empty()


def test_peer_that_is_gone_ends_the_session(client: Client) -> None:
    """A broken pipe is nobody's error."""

    def broken(line: bytes) -> None:
        raise BrokenPipeError

    session = Session(client, broken)
    session.handle_line(b'{"jsonrpc": "2.0", "id": 1, "method": "hello"}')
    session._writer.join(20)
    assert not session.handle_line(b'{"jsonrpc": "2.0", "id": 2, "method": "hello"}')


def test_extra_methods_are_documented() -> None:
    """docs/json.md names them."""
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    for name in EXTRA_METHODS:
        assert f"`{name}`" in text
