"""A small blocking client of the wire protocol over real TLS, for tests of the relay."""

import hashlib
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from secure_chat.identity import certificate, login
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.transport.tls import client_context
from secure_chat.wire.errors import RelayError
from secure_chat.wire.framing import FrameBuffer, encode_frame, server_message_decoder
from secure_chat.wire.messages import (
    Ack,
    Append,
    Appended,
    CaughtUp,
    ChannelChange,
    ChannelInfo,
    ChannelKind,
    CreateChannel,
    Entry,
    EntryKind,
    Error,
    Hello,
    HelloAck,
    LoggedIn,
    Login,
    MemberDevice,
    Message,
    Ok,
    Position,
    Register,
    Registered,
    ServerMessage,
    Subscribe,
)

__all__ = ["Closed", "Person", "RelayClient"]

M = TypeVar("M", bound=Message)

DAY = 86_400


class Closed(Exception):
    """The relay has closed the connection."""


@dataclass
class Person:
    """An account with one device and its store."""

    handle: str
    account: AccountKey = field(default_factory=AccountKey.generate)
    device: DeviceKey = field(default_factory=DeviceKey.generate)
    device_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    store: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    counter: int = 0
    serial: int = 1

    @property
    def certificate(self) -> certificate.DeviceCertificate:
        """Signed by the account, in force for a year."""
        now = int(time.time())
        return certificate.issue(
            self.account,
            handle=self.handle,
            device_key=self.device.public,
            device_id=self.device_id,
            serial=self.serial,
            issued=now - DAY,
            expires=now + 365 * DAY,
        )

    @property
    def member(self) -> MemberDevice:
        """As it stands in a channel's delivery list."""
        return MemberDevice(self.device_id, self.account.public)


class RelayClient:
    """One connection. Messages that nobody waited for yet stay in `inbox`, in order."""

    def __init__(
        self,
        address: tuple[str, int],
        ca_pem: str,
        *,
        server_hostname: str = "localhost",
        timeout: float = 20.0,
        source: str = "127.0.0.1",
    ) -> None:
        context = client_context(ca_pem)
        self.timeout = timeout
        connected = socket.create_connection(address, timeout, (source, 0))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = context.wrap_socket(connected, server_hostname=server_hostname)
        except BaseException:
            connected.close()
            raise
        der = self.tls.getpeercert(binary_form=True)
        assert der is not None
        self.certificate_hash = hashlib.sha256(der).digest()
        self.inbox: list[ServerMessage] = []
        self.client_nonce = secrets.token_bytes(32)
        self.server_nonce = b""
        self.person: Person | None = None
        self.login_answer: LoggedIn
        self._frames: FrameBuffer[ServerMessage] = FrameBuffer(server_message_decoder)
        self._request = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection without ceremony."""
        self.tls.close()

    # Bytes and messages.

    def send_bytes(self, data: bytes) -> None:
        """Sends anything at all."""
        try:
            self.tls.sendall(data)
        except (OSError, ssl.SSLError) as error:
            raise Closed(str(error)) from None

    def send(self, message: Message) -> None:
        """Sends one message."""
        self.send_bytes(encode_frame(message))

    def pump(self, timeout: float | None = None) -> bool:
        """Waits for something to come in and moves it to `inbox`; False when nothing came in time."""
        self.tls.settimeout(self.timeout if timeout is None else max(timeout, 0.001))
        try:
            data = self.tls.recv(65536)
        except TimeoutError:
            return False
        except (OSError, ssl.SSLError) as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed("the relay has closed the connection")
        self.inbox.extend(self._frames.feed(data))
        return True

    def wait_for_end(self) -> None:
        """Reads until the relay closes the connection; fails after `timeout` seconds without that."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            try:
                self.pump(max(0.01, deadline - time.monotonic()))
            except Closed:
                return
        raise TimeoutError(f"the relay did not close the connection within {self.timeout} s")

    def wait(self, kind: type[M], accept: Callable[[M], bool] = lambda message: True) -> M:
        """The first message of this kind that is accepted, taken out of `inbox`; fails after `timeout` seconds."""
        deadline = time.monotonic() + self.timeout
        looked = 0
        while True:
            for index in range(looked, len(self.inbox)):
                message = self.inbox[index]
                if isinstance(message, kind) and accept(message):
                    del self.inbox[index]
                    return message
            looked = len(self.inbox)
            left = deadline - time.monotonic()
            if left <= 0 or not self.pump(left):
                raise TimeoutError(f"no {kind.__name__} within {self.timeout} s; there are {self.inbox[-3:]}")

    def answer(self, identity: int) -> ServerMessage:
        """The answer to the request with this id; RelayError for a refusal of it or of the connection."""
        message = self.answer_or_error(identity)
        if isinstance(message, Error):
            raise RelayError(message.code, message.message, retry_after=message.retry_after, head=message.head)
        return message

    def answer_or_error(self, identity: int) -> ServerMessage:
        """The same, with refusals as they came."""
        deadline = time.monotonic() + self.timeout
        looked = 0
        while True:
            for index in range(looked, len(self.inbox)):
                message = self.inbox[index]
                if getattr(message, "id", None) == identity or (isinstance(message, Error) and message.id == 0):
                    del self.inbox[index]
                    return message
            looked = len(self.inbox)
            left = deadline - time.monotonic()
            if left <= 0 or not self.pump(left):
                raise TimeoutError(f"no answer to request {identity} within {self.timeout} s")

    def next_id(self) -> int:
        """A fresh request id."""
        self._request += 1
        return self._request

    def ask(self, message: Message, kind: type[M]) -> M:
        """Sends a request and waits for its answer, which must be of this kind."""
        self.send(message)
        answer = self.answer(message.id)  # type: ignore[attr-defined]
        assert isinstance(answer, kind), answer
        return answer

    # The exchange.

    def hello(self, versions: tuple[int, ...] = (1,)) -> HelloAck:
        """Hello and its answer."""
        self.send(Hello(versions, (), self.client_nonce, "tests"))
        ack = self.wait(HelloAck)
        self.server_nonce = ack.nonce
        return ack

    def register(self, person: Person, token: str | None) -> Registered:
        """Makes the account."""
        own = person.certificate
        signature = login.sign_registration(
            person.account,
            certificate=own,
            token=token,
            client_nonce=self.client_nonce,
            server_nonce=self.server_nonce,
            server_certificate=self.certificate_hash,
        )
        return self.ask(Register(self.next_id(), token, own.encode(), signature), Registered)

    def login(self, person: Person, *, visible: bool = True) -> LoggedIn:
        """Proves the device."""
        signature = login.sign_login(
            person.device,
            device_id=person.device_id,
            store_id=person.store,
            client_nonce=self.client_nonce,
            server_nonce=self.server_nonce,
            server_certificate=self.certificate_hash,
        )
        request = Login(self.next_id(), person.certificate.encode(), person.store, signature, visible)
        answer = self.ask(request, LoggedIn)
        self.person = person
        self.login_answer = answer
        person.counter = max(person.counter, answer.last_counter)
        return answer

    def enter(self, person: Person, token: str | None = None) -> LoggedIn:
        """Hello, registration where a token is given, login."""
        self.hello()
        if token is not None:
            self.register(person, token)
        return self.login(person)

    def subscribe(self, *positions: Position) -> None:
        """Asks for delivery."""
        self.ask(Subscribe(self.next_id(), positions), Ok)

    def ack(self, *positions: Position) -> None:
        """Acknowledges."""
        self.send(Ack(positions))

    def create_room(self) -> ChannelInfo:
        """A closed room with this device in it."""
        return self.ask(CreateChannel(self.next_id(), ChannelKind.ROOM), ChannelInfo)

    def append_message(
        self,
        channel: bytes,
        payload: bytes,
        *,
        kind: EntryKind = EntryKind.APPLICATION,
        head: int = 0,
        counter: int | None = None,
        add: Iterable[MemberDevice] = (),
        remove: Iterable[bytes] = (),
    ) -> Append:
        """The request, with the next counter of this store unless one is given."""
        assert self.person is not None
        if counter is None:
            self.person.counter += 1
            counter = self.person.counter
        added, removed = tuple(add), tuple(remove)
        change = ChannelChange(added, removed) if added or removed else None
        return Append(self.next_id(), channel, counter, kind, head, payload, change)

    def append(
        self,
        channel: bytes,
        payload: bytes,
        *,
        kind: EntryKind = EntryKind.APPLICATION,
        head: int = 0,
        counter: int | None = None,
        add: Iterable[MemberDevice] = (),
        remove: Iterable[bytes] = (),
    ) -> Appended:
        """Appends and waits until it is durable."""
        request = self.append_message(channel, payload, kind=kind, head=head, counter=counter, add=add, remove=remove)
        return self.ask(request, Appended)

    def entries(self, channel: bytes, count: int) -> list[Entry]:
        """The next `count` entries of a channel."""
        return [self.wait(Entry, lambda entry: entry.channel == channel) for _ in range(count)]

    def caught_up(self, channel: bytes) -> int:
        """Waits until the channel is live here; the sequence number up to which it came from the log."""
        return self.wait(CaughtUp, lambda message: message.channel == channel).seq
