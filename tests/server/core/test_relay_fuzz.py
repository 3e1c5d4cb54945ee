"""Any sequence of valid and invalid messages: typed answers or a closed connection, never an exception."""

import hashlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secure_chat.server.core.effects import (
    AdminReply,
    Close,
    Connected,
    Delivery,
    Disconnected,
    Input,
    Output,
    Received,
    Reply,
    Tick,
)
from secure_chat.wire.framing import HEADER_LENGTH, decode_server_message, encode_frame
from secure_chat.wire.messages import (
    Ack,
    Append,
    ChannelChange,
    ChannelKind,
    ClaimKeyPackages,
    ClientMessage,
    CreateChannel,
    CreateInvite,
    DeleteAccount,
    EntryKind,
    Ephemeral,
    GetCa,
    GetChannel,
    GetGroupInfo,
    Hello,
    ListRooms,
    Login,
    Lookup,
    MemberDevice,
    Ping,
    Pong,
    PublishKeyPackages,
    Register,
    RevokeDevices,
    RevokeInvite,
    Subscribe,
    Welcome,
)
from tests.server.relay_host import CERTIFICATE_HASH, Peer, RelayHost

# A small world in which random values meet: ids of real devices, channels and accounts among strange ones.
_SEEDED = [hashlib.sha256(bytes([number])).digest() for number in range(8)]
ids16 = st.sampled_from([key[:16] for key in _SEEDED]) | st.just(bytes(16))
ids32 = st.sampled_from(_SEEDED) | st.just(bytes(32))
numbers = st.sampled_from([0, 1, 2, 3, 4, 5, 2**32, 2**63 - 1])
payloads = st.sampled_from([b"", b"x", bytes(300), bytes(65_537)])
positions = st.lists(st.tuples(ids16, numbers), max_size=4).map(tuple)
members = st.builds(MemberDevice, ids16, ids32)
changes = st.builds(
    ChannelChange,
    add=st.lists(members, max_size=3).map(tuple),
    remove=st.lists(ids16, max_size=3).map(tuple),
    admins=st.none() | st.lists(ids32, max_size=3).map(tuple),
    members_may_add=st.none() | st.booleans(),
    banned=st.none() | st.lists(ids32, max_size=3).map(tuple),
)
handles = st.sampled_from(["peer0", "peer1", "peer2", "nobody"])
messages: st.SearchStrategy[ClientMessage] = st.one_of(
    st.just(GetCa()),
    st.builds(Hello, st.just((1,)) | st.just((2,)), st.just(()), ids32),
    st.builds(Register, numbers, st.none() | st.just("token"), payloads, st.just(bytes(64))),
    st.builds(Login, numbers, payloads, ids16, st.just(bytes(64))),
    st.builds(Subscribe, numbers, positions),
    st.builds(Ack, positions),
    st.builds(
        Append,
        id=numbers,
        channel=ids16,
        counter=numbers,
        kind=st.sampled_from(EntryKind),
        head=numbers,
        payload=payloads,
        change=st.none() | changes,
        welcomes=st.lists(st.builds(Welcome, payloads, st.lists(ids16, max_size=3).map(tuple)), max_size=2).map(tuple),
        group_info=st.none() | payloads,
    ),
    st.builds(
        CreateChannel, numbers, st.sampled_from(ChannelKind), st.sampled_from(["", "lobby", "\n"]), ids32 | st.just(b"")
    ),
    st.builds(GetChannel, numbers, ids16),
    st.builds(GetGroupInfo, numbers, ids16, numbers),
    st.builds(ListRooms, numbers),
    st.builds(Ephemeral, ids16, payloads),
    st.builds(Lookup, numbers, st.lists(handles, max_size=3).map(tuple), st.lists(ids32, max_size=3).map(tuple)),
    st.builds(
        PublishKeyPackages,
        numbers,
        numbers,
        st.lists(payloads, max_size=3).map(tuple),
        st.none() | payloads,
        st.booleans(),
    ),
    st.builds(ClaimKeyPackages, numbers, numbers, st.lists(ids32, max_size=3).map(tuple)),
    st.builds(RevokeDevices, numbers, payloads),
    st.builds(DeleteAccount, numbers, st.just(bytes(64))),
    st.builds(CreateInvite, numbers),
    st.builds(RevokeInvite, numbers, st.just("token")),
    st.builds(Ping, numbers),
    st.builds(Pong, numbers),
)
steps = st.lists(
    st.tuples(
        st.integers(0, 3), st.lists(messages, max_size=4), st.sampled_from(["", "tick", "drop", "log in", "restart"])
    ),
    max_size=30,
)


class _Seeded(RelayHost):
    """Channel ids are taken from the small world as long as they last."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._given = iter([key[:16] for key in _SEEDED[4:]])

    def random_bytes(self, count: int) -> bytes:
        return next(self._given, None) or self.random.randbytes(count) if count == 16 else self.random.randbytes(count)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_any_sequence_is_answered_or_closed(sequence: list[tuple[int, list[ClientMessage], str]]) -> None:
    """Every frame that goes out decodes, every request of an open connection has one answer, and the log is sound."""
    with tempfile.TemporaryDirectory() as directory:
        host = _Seeded(Path(directory))
        host.relay._context.random_bytes = host.random_bytes
        peers = []
        for number in range(3):
            peer = Peer.join(host, f"peer{number}")
            peers.append(peer)
        stranger = 1_000
        for who, batch, event in sequence:
            if event == "restart":
                host.restart()
                host.relay._context.random_bytes = host.random_bytes
            elif event == "tick":
                host.tick()
            if who == 3:
                stranger += 1
                inputs: list[Input] = [
                    Connected(stranger, CERTIFICATE_HASH, "::1"),
                    *(Received(stranger, m) for m in batch),
                ]
                _check(host.step(*inputs, Disconnected(stranger), Tick()))
                continue
            peer = peers[who]
            if event == "drop":
                peer.disconnect()
            elif event == "log in" or peer.connection not in host.peers:
                peer.disconnect()
                peer.connect()
                if not peer.closed:
                    peer.ask(peer.login())
            _check(host.step(*(Received(peer.connection, message) for message in batch)))
        with host.database.transaction() as transaction:
            for record, _ in transaction.channels.channels_after(0, 1_000):
                stored = [seq for seq, _ in host.reader.read_after(record.id, 0, 10_000, 1 << 30)]
                assert stored == list(range(record.floor + 1, transaction.log.last(record) + 1))
        host.close()


def _check(outputs: list[Output]) -> None:
    for output in outputs:
        if isinstance(output, Reply | Delivery | Close) and output.frame:
            body = output.frame[HEADER_LENGTH:]
            message = decode_server_message(body)
            assert encode_frame(message)[HEADER_LENGTH:] == body
        assert not isinstance(output, AdminReply)
