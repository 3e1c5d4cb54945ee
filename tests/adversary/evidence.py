"""What a test asserts about an attack: that the user was told, in JSON too, and that nothing leaked or was made up."""

import json
from collections.abc import Iterable

from secure_chat.client.encoding import decode_event, encode_event
from secure_chat.client.events import Event, SecurityKind, SecurityNotice
from secure_chat.client.views import DeliveryState, MessageKind
from tests.adversary.relay import LyingRelay
from tests.scenarios.harness import Node

__all__ = ["nobody_noticed", "nothing_false", "nothing_leaked", "noticed"]


def noticed(node: Node, kind: SecurityKind, *words: str) -> SecurityNotice:
    """The user was told of it, in words that name what matters; the same event exists in JSON."""
    found = [n for n in node.told(SecurityNotice) if n.kind is kind and all(word in n.text for word in words)]
    told = [f"{n.kind}: {n.text}" for n in node.told(SecurityNotice)]
    assert found, f"{node.name} was not told of {kind} {words}, but: {told}"
    travels_as_json(found[-1])
    return found[-1]


def travels_as_json(event: Event) -> None:
    """A front end that speaks JSON gets exactly this event."""
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


def nobody_noticed(nodes: Iterable[Node], *kinds: SecurityKind) -> None:
    """Nobody was alarmed by something that did not happen."""
    for node in nodes:
        false = [n for n in node.told(SecurityNotice) if not kinds or n.kind in kinds]
        assert not false, f"{node.name}: {[f'{n.kind}: {n.text}' for n in false]}"


def nothing_false(nodes: Iterable[Node]) -> None:
    """Every line that shows as somebody's was written by them, with this text; every tick is true."""
    nodes = list(nodes)
    by_handle = {node.engine._state.own_account.hex(): node for node in nodes}
    for reader in nodes:
        for line in reader.history():
            if line.kind is not MessageKind.TEXT:
                continue
            author = by_handle.get(line.account)
            if author is None:
                continue
            written = author.store.message(line.id)
            assert written is not None, f"{reader.name} has {line.text!r}, which {author.name} never wrote"
            assert (written.text, written.room) == (line.text, line.room) or line.edited or written.edited
            assert author is not reader or line.state is not DeliveryState.RECEIVED


def nothing_leaked(world: LyingRelay, *secrets: str) -> None:
    """None of these plaintexts was in anything that the relay heard or stored; handles, which it knows, are."""
    stored = b"".join(path.read_bytes() for path in world.database_files() if path.exists())
    heard = b"\0".join(world.heard)
    for handle in {node.engine._state.profile.handle for node in world.nodes.values()}:
        assert handle.encode() in stored, f"the search of the database does not even find {handle}"
        assert handle.encode() in heard, f"the search of the stream does not even find {handle}"
    for secret in secrets:
        assert secret.encode() not in stored, f"the relay's database holds {secret!r}"
        assert secret.encode() not in heard, f"the relay heard {secret!r}"
