"""A relay and its clients in one thread: the real core on a real database, without sockets.

`RelayHost` carries out the effects as the data shard does; a `Peer` is one device with its keys, its store and what
it has received.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard, TypeVar

from secure_chat.identity import certificate as certificates
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.identity.login import sign_login, sign_registration
from secure_chat.server.core.admin import AdminCommand, AdminResult, CreateInviteToken, NewInvite
from secure_chat.server.core.effects import (
    AdminReply,
    AdminRequest,
    Authenticated,
    Close,
    Connected,
    Delivery,
    Disconnected,
    Input,
    Output,
    Received,
    Reply,
    StartDelivery,
    StopDelivery,
    Tick,
)
from secure_chat.server.core.relay import Relay
from secure_chat.server.core.settings import Settings
from secure_chat.server.storage.database import Database
from secure_chat.server.storage.log import MAX_SEQ
from secure_chat.server.storage.reader import LogReader
from secure_chat.wire.framing import HEADER_LENGTH, decode_server_message, encode_frame
from secure_chat.wire.messages import (
    Ack,
    Append,
    Appended,
    CaughtUp,
    ChannelChange,
    ChannelInfo,
    ChannelKind,
    ClientMessage,
    CreateChannel,
    Entry,
    EntryKind,
    Error,
    Hello,
    HelloAck,
    LoggedIn,
    Login,
    MemberDevice,
    Register,
    Registered,
    ServerMessage,
    Subscribe,
    Welcome,
)

START = 1_700_000_000_000
CERTIFICATE_HASH = hashlib.sha256(b"the relay's certificate").digest()
FEATURES = ("ephemeral", "lobby", "open-registration", "presence")

M = TypeVar("M", bound=ServerMessage)


class RelayHost:
    """The relay, its clock, and everyone who is connected."""

    def __init__(self, path: Path, settings: Settings | None = None, seed: int = 1) -> None:
        self.path = path / "relay.db"
        self.settings = settings or Settings()
        self.directory = DirectoryKey(bytes(32))
        self.random = random.Random(seed)
        self.now = START
        self.peers: dict[int, Peer] = {}
        self.live: dict[int, dict[bytes, int]] = {}
        self.outputs: list[Output] = []
        self.admin_results: list[AdminResult] = []
        self._connections = 0
        self._open()

    def _open(self) -> None:
        self.database = Database(self.path)
        self.database._connection.execute("PRAGMA synchronous = OFF")  # nothing here loses power
        self.reader = LogReader(self.path)
        self.relay = Relay(self.settings, self.directory, self.random.randbytes, b"the CA")

    def close(self) -> None:
        self.reader.close()
        self.database.close()

    def restart(self) -> None:
        """As after a crash: everything that is not in the database is gone."""
        self.close()
        self.peers.clear()
        self.live.clear()
        self._open()

    def connect(self, peer: "Peer", address: str = "127.0.0.1") -> int:
        self._connections += 1
        self.peers[self._connections] = peer
        self.live[self._connections] = {}
        self.step(Connected(self._connections, CERTIFICATE_HASH, address))
        return self._connections

    def step(self, *batch: Input) -> list[Output]:
        """One batch: handled, committed, then carried out."""
        with self.database.transaction() as transaction:
            effects = self.relay.handle(batch, transaction, self.now)
        self.outputs = effects.outputs
        for output in effects.outputs:
            self._carry_out(output)
        return effects.outputs

    def tick(self, milliseconds: int = 1000) -> None:
        self.now += milliseconds
        self.step(Tick())

    def admin(self, command: AdminCommand) -> AdminResult:
        self.step(AdminRequest(7, command))
        return self.admin_results.pop()

    def invite(self, uses: int = 1000) -> str:
        result = self.admin(CreateInviteToken(uses=uses))
        assert isinstance(result, NewInvite)
        return result.token

    def _carry_out(self, output: Output) -> None:
        match output:
            case Reply(connection, frame):
                self._hand(connection, frame)
            case Delivery(channel, frame, seq, exclude):
                for connection, channels in self.live.items():
                    if channel in channels and connection != exclude and (seq == 0 or seq > channels[channel]):
                        if frame:
                            channels[channel] = max(seq, channels[channel])
                            self._hand(connection, frame)
                        else:
                            channels[channel] = self._replay(connection, channel, channels[channel])
            case StartDelivery(connection, channel, after):
                if connection in self.live:
                    self.live[connection][channel] = self._replay(connection, channel, after)
                    self._hand(connection, encode_frame(CaughtUp(channel, self.live[connection][channel])))
            case StopDelivery(connection, channel, _, frame):
                if connection in self.live:
                    self.live[connection].pop(channel)
                    if frame:
                        self._hand(connection, frame)
            case Close(connection, frame):
                if frame:
                    self._hand(connection, frame)
                if connection in self.peers:
                    self.peers[connection].closed = True
                    self.drop(connection)
            case AdminReply(_, result):
                self.admin_results.append(result)
            case Authenticated():
                pass

    def _replay(self, connection: int, channel: bytes, after: int) -> int:
        last = min(  # a stop that comes with the start counts at once: the data shard reads later
            (output.last for output in self.outputs if _stops(output, connection, channel)), default=MAX_SEQ
        )
        reached = after
        while rows := self.reader.read_after(channel, reached, 7, 1 << 20):
            for seq, frame in rows:
                if seq > last:
                    return reached
                self._hand(connection, frame)
                reached = seq
        return reached

    def _hand(self, connection: int, frame: bytes) -> None:
        peer = self.peers.get(connection)
        if peer is not None:
            assert int.from_bytes(frame[:HEADER_LENGTH], "big") == len(frame) - HEADER_LENGTH
            peer.received.append(decode_server_message(frame[HEADER_LENGTH:]))

    def drop(self, connection: int) -> None:
        if self.peers.pop(connection, None) is not None:
            del self.live[connection]
            self.step(Disconnected(connection))


def _stops(output: Output, connection: int, channel: bytes) -> TypeGuard[StopDelivery]:
    return isinstance(output, StopDelivery) and (output.connection, output.channel) == (connection, channel)


@dataclass
class Peer:
    """One device of one account."""

    host: RelayHost
    handle: str
    account: AccountKey
    device: DeviceKey
    device_id: bytes
    store: bytes
    serial: int = 1
    connection: int = 0
    counter: int = 0
    request: int = 0
    closed: bool = False
    visible: bool = True
    received: list[ServerMessage] = field(default_factory=list)
    logged_in: LoggedIn | None = None
    hello: HelloAck | None = None
    client_nonce: bytes = bytes(32)

    @classmethod
    def make(cls, host: RelayHost, handle: str, *, account: AccountKey | None = None, serial: int = 1) -> "Peer":
        randbytes = host.random.randbytes
        account = account or AccountKey(randbytes(32))
        return cls(host, handle, account, DeviceKey(randbytes(32)), randbytes(16), randbytes(16), serial)

    @classmethod
    def join(cls, host: RelayHost, handle: str, *, visible: bool = True) -> "Peer":
        """A registered account, logged in and subscribed to its inbox."""
        peer = cls.make(host, handle)
        peer.visible = visible
        peer.connect()
        answer = peer.register(host.invite())
        assert isinstance(answer, Registered), answer
        peer.log_in()
        return peer

    def another_device(self, serial: int = 2) -> "Peer":
        """A further device of the same account, logged in."""
        peer = Peer.make(self.host, self.handle, account=self.account, serial=serial)
        peer.connect()
        peer.log_in()
        return peer

    @property
    def certificate(self) -> DeviceCertificate:
        return certificates.issue(
            self.account,
            handle=self.handle,
            device_key=self.device.public,
            device_id=self.device_id,
            serial=self.serial,
            issued=START // 1000 - 3600,
            expires=START // 1000 + 400 * 86_400,
        )

    @property
    def member(self) -> MemberDevice:
        return MemberDevice(self.device_id, self.account.public)

    @property
    def inbox(self) -> bytes:
        assert self.logged_in is not None
        return self.logged_in.inbox.channel

    def connect(self, address: str = "127.0.0.1") -> None:
        self.closed = False
        self.connection = self.host.connect(self, address)
        self.client_nonce = self.host.random.randbytes(32)
        self.send(Hello((1,), FEATURES, self.client_nonce))
        self.hello = self.take(HelloAck)

    def disconnect(self) -> None:
        self.host.drop(self.connection)

    def reconnect(self) -> LoggedIn:
        """A new connection, logged in; subscribed to the inbox only."""
        self.disconnect()
        self.received.clear()
        self.connect()
        return self.log_in()

    def registration(self, token: str | None) -> Register:
        assert self.hello is not None
        signature = sign_registration(
            self.account,
            certificate=self.certificate,
            token=token,
            client_nonce=self.client_nonce,
            server_nonce=self.hello.nonce,
            server_certificate=CERTIFICATE_HASH,
        )
        return Register(self.next_id(), token, self.certificate.encode(), signature)

    def login(self) -> Login:
        assert self.hello is not None
        signature = sign_login(
            self.device,
            device_id=self.device_id,
            store_id=self.store,
            client_nonce=self.client_nonce,
            server_nonce=self.hello.nonce,
            server_certificate=CERTIFICATE_HASH,
        )
        return Login(self.next_id(), self.certificate.encode(), self.store, signature, self.visible)

    def register(self, token: str | None) -> ServerMessage:
        return self.ask(self.registration(token))

    def log_in(self) -> LoggedIn:
        answer = self.ask(self.login())
        assert isinstance(answer, LoggedIn), answer
        self.logged_in = answer
        self.ask(Subscribe(self.next_id(), ((answer.inbox.channel, answer.inbox.cursor),)))
        return answer

    def next_id(self) -> int:
        self.request += 1
        return self.request

    def next_counter(self) -> int:
        self.counter += 1
        return self.counter

    def send(self, *messages: ClientMessage) -> None:
        self.host.step(*(Received(self.connection, message) for message in messages))

    def ask(self, message: ClientMessage) -> ServerMessage:
        """Sends a request and takes its answer out of what was received."""
        self.send(message)
        request: int = message.id  # type: ignore[union-attr]
        for index, answer in enumerate(self.received):
            if getattr(answer, "id", None) == request:
                return self.received.pop(index)
        raise AssertionError(f"no answer to {message!r}, only {self.received!r}")

    def take(self, kind: type[M]) -> M:
        """The first message of this kind that was received; it is taken out."""
        for index, message in enumerate(self.received):
            if isinstance(message, kind):
                del self.received[index]
                return message
        raise AssertionError(f"no {kind.__name__} among {self.received!r}")

    def take_all(self, kind: type[M]) -> list[M]:
        found: list[M] = [message for message in self.received if isinstance(message, kind)]
        self.received = [message for message in self.received if not isinstance(message, kind)]
        return found

    def entries(self, channel: bytes) -> list[Entry]:
        """Entries of a channel received since the last call."""
        found = [m for m in self.received if isinstance(m, Entry) and m.channel == channel]
        self.received = [m for m in self.received if not (isinstance(m, Entry) and m.channel == channel)]
        return found

    # Whole requests

    def create(self, kind: ChannelKind, *, name: str = "", peer: bytes = b"") -> ChannelInfo:
        answer = self.ask(CreateChannel(self.next_id(), kind, name, peer))
        assert isinstance(answer, ChannelInfo), answer
        return answer

    def room(self, *members: "Peer", kind: ChannelKind = ChannelKind.ROOM, name: str = "") -> bytes:
        """A channel with a founded group and these members, delivered live to everyone in it."""
        info = self.create(kind, name=name)
        channel = info.summary.channel
        self.subscribe(channel)
        answer = self.append(
            channel,
            EntryKind.FOUNDING,
            head=0,
            change=ChannelChange(add=tuple(member.member for member in members)),
            welcomes=(Welcome(b"welcome", tuple(m.device_id for m in members)),) if members else (),
            group_info=b"group info" if kind is ChannelKind.OPEN else None,
        )
        assert isinstance(answer, Appended), answer
        return channel

    def message(
        self,
        channel: bytes,
        kind: EntryKind = EntryKind.APPLICATION,
        payload: bytes = b"payload",
        *,
        head: int = 1,
        counter: int | None = None,
        change: ChannelChange | None = None,
        welcomes: Sequence[Welcome] = (),
        group_info: bytes | None = None,
    ) -> Append:
        counter = self.next_counter() if counter is None else counter
        return Append(self.next_id(), channel, counter, kind, head, payload, change, tuple(welcomes), group_info)

    def append(
        self,
        channel: bytes,
        kind: EntryKind = EntryKind.APPLICATION,
        payload: bytes = b"payload",
        *,
        head: int = 1,
        counter: int | None = None,
        change: ChannelChange | None = None,
        welcomes: Sequence[Welcome] = (),
        group_info: bytes | None = None,
    ) -> ServerMessage:
        return self.ask(
            self.message(
                channel,
                kind,
                payload,
                head=head,
                counter=counter,
                change=change,
                welcomes=welcomes,
                group_info=group_info,
            )
        )

    def appended(self, channel: bytes, payload: bytes = b"payload", *, head: int = 1) -> Appended:
        answer = self.append(channel, payload=payload, head=head)
        assert isinstance(answer, Appended), answer
        return answer

    def subscribe(self, channel: bytes, after: int = 0) -> None:
        self.ask(Subscribe(self.next_id(), ((channel, after),)))

    def acknowledge(self, channel: bytes, seq: int) -> None:
        self.send(Ack(((channel, seq),)))

    def refused(self, message: ClientMessage) -> Error:
        answer = self.ask(message)
        assert isinstance(answer, Error), answer
        return answer
