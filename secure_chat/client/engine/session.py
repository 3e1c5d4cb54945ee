"""The connection to the relay: hello, registration, login, requests with deadlines, keep-alive, reconnecting.

OFFLINE → (TLS is up) CONNECTING → hello, register once, login → CATCHING_UP → (every channel) ONLINE
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from secure_chat.client.engine.confirmed import Confirmed
from secure_chat.client.engine.device import Device
from secure_chat.client.engine.effects import Connected, Disconnect, Disconnected
from secure_chat.client.engine.history import History
from secure_chat.client.engine.recovery import start_over
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise, Task, wait
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import CaughtUp, ConnectionChanged, FailureCode, Progress, SecurityKind
from secure_chat.client.views import ConnectionState
from secure_chat.errors import SecureChatError
from secure_chat.identity import binding as bindings
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.login import sign_login, sign_registration
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.limits import ACK_INTERVAL_MS, MAX_POSITIONS, NONCE_LENGTH, PROTOCOL_VERSION
from secure_chat.wire.messages import (
    Accounts,
    Ack,
    Append,
    Appended,
    ChannelInfo,
    Error,
    Goodbye,
    GroupInfoResult,
    Hello,
    HelloAck,
    InviteCreated,
    KeyPackages,
    LoggedIn,
    Login,
    Message,
    Ok,
    OpenRooms,
    Ping,
    Pong,
    Register,
    Registered,
    ServerMessage,
    Subscribe,
)
from secure_chat.wire.messages import CaughtUp as ChannelCaughtUp

__all__ = ["OFFLINE_TEXT", "Session"]

REQUEST_TIMEOUT = 30_000
"""Milliseconds without an answer after which the connection counts as dead."""
PING_INTERVAL = 30_000
"""Milliseconds of silence after which the relay is asked for a sign of life: a sleeping laptop's peer is long gone."""
FIRST_RETRY = 500
LONGEST_RETRY = 60_000
"""Milliseconds between attempts; doubled each time, with jitter, so that a restarted relay is not stormed."""
LONGEST_WAIT = 3_600_000
"""Milliseconds that a relay may make a client wait: one that asks for years would have it wait for ever."""
MAX_WORDS = 200
"""Characters of what a relay says to people."""
PROGRESS_STEP = 1_000
"""Entries between two words on how far catching up has come."""
SOFTWARE = "secure-chat"
FEATURES = ("ephemeral", "lobby", "open-registration", "presence")
OFFLINE_TEXT = "not connected to the relay: try again when the connection is back"

PERMANENT = {
    ErrorCode.UNSUPPORTED_VERSION,
    ErrorCode.UNAUTHENTICATED,
    ErrorCode.SUSPENDED,
    ErrorCode.REVOKED,
    ErrorCode.HANDLE_TAKEN,
    ErrorCode.TOKEN_INVALID,
    ErrorCode.FORBIDDEN,
    ErrorCode.NOT_FOUND,
}
"""Refusals of a login or registration that only a person can mend."""

A = TypeVar("A", bound=Message)


class Session:
    """One connection after another."""

    def __init__(
        self,
        state: State,
        device: Device,
        history: History,
        confirmed: Confirmed,
        entered: Callable[[LoggedIn], list[bytes]],
        dropped: Callable[[], None],
    ) -> None:
        self._state = state
        self._device = device
        self._history = history
        self._confirmed = confirmed
        self._entered = entered
        """After login: brings the rooms in line, and returns the channels to subscribe to."""
        self._dropped = dropped
        self.connection = ConnectionState.OFFLINE
        self.tls = ""
        self.reason = ""
        """Why there is no connection."""
        self.features: tuple[str, ...] = ()
        self.certificate_hash = b""
        self.nonces = (b"", b"")
        """Client's and server's of this connection."""
        self._hello: Promise[HelloAck] = Promise()
        self._requests: dict[int, tuple[Promise[ServerMessage], int]] = {}
        self._next_id = 1
        self._failures = 0
        self._heard = 0
        self._pinged = False
        self._waiting: set[bytes] = set()
        self._taken_in = 0
        self._expected = 0
        self._acks: set[bytes] = set()

    @property
    def entered(self) -> bool:
        """Logged in on this connection."""
        return self.connection in (ConnectionState.CATCHING_UP, ConnectionState.ONLINE)

    # -- sending

    def send(self, message: Message) -> None:
        """A message without an answer."""
        if self._state.connected:
            self._state.effects.frames.append(encode_frame(message))

    def request(self, message: Message) -> Promise[ServerMessage]:
        """A request; the promise is broken with RelayError, or with CommandFailed when the connection ends."""
        promise: Promise[ServerMessage] = Promise()
        if not (self.entered or (self._state.connected and isinstance(message, Register | Login))):
            promise.fail(CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT))
            return promise
        number = self._next_id
        self._next_id += 1
        self._requests[number] = (promise, self._state.now + REQUEST_TIMEOUT)
        self._state.set_timer("request", b"", self._state.now + REQUEST_TIMEOUT)
        if isinstance(message, Append):
            self._confirmed.asked(message, promise)
        self.send(msgspec.structs.replace(message, id=number))
        return promise

    def ask(self, message: Message, kind: type[A]) -> Task[A]:
        """A request and its answer of the expected kind; RelayError or CommandFailed."""
        answer = yield from wait(self.request(message))
        if not isinstance(answer, kind):
            raise RelayError(ErrorCode.UNEXPECTED, "the relay answered something else than was asked")
        return answer

    def acknowledge(self, channel: bytes) -> None:
        """Everything up to the channel's position will be on disk: tell the relay, batched."""
        self._acks.add(channel)
        self._taken_in += 1
        if self._expected and self._taken_in % PROGRESS_STEP == 0:
            self._state.emit(Progress("catching up", min(self._taken_in, self._expected), self._expected))
        self._state.set_timer("ack", b"", self._state.now + ACK_INTERVAL_MS)

    def expect(self, entries: int) -> None:
        """So many entries wait: if they are many, the way through them is told."""
        self._expected = entries if entries > PROGRESS_STEP else 0
        if self._expected:
            self._state.emit(Progress("catching up", 0, entries))

    # -- what comes in

    def connected(self, event: Connected) -> None:
        """TLS is up: introduce ourselves."""
        state = self._state
        state.connected, self._heard, self._pinged = True, state.now, False
        self.certificate_hash, self.tls = event.certificate_hash, event.tls
        self.nonces = (state.random.randbytes(NONCE_LENGTH), b"")
        self._hello = Promise()
        self._taken_in = 0
        state.quiet = True
        self._become(ConnectionState.CONNECTING)
        state.reset_timer("ping", b"", state.now + PING_INTERVAL)
        self.send(Hello((PROTOCOL_VERSION,), FEATURES, self.nonces[0], SOFTWARE))
        state.tasks.start(self._enter(), self._enter_failed)

    def disconnected(self, event: Disconnected) -> None:
        """The connection is gone: everything asked is answered so, and the next attempt is planned."""
        permanent = event.permanent
        self._drop(event.reason, 0 if permanent else self._retry_time())

    def receive(self, message: ServerMessage) -> bool:
        """Takes answers and what concerns the connection; False for what others handle."""
        self._heard, self._pinged = self._state.now, False
        match message:
            case HelloAck():
                self._hello.keep(message)
            case Ping(id=number):
                self.send(Pong(number))
            case Pong():
                pass
            case ChannelCaughtUp(channel=channel):
                if self.entered:
                    self._channel_live(channel)
            case Goodbye(message=text, retry_after=retry_after):
                pause = max(min(retry_after, LONGEST_WAIT), self._state.jitter(200, 2_000))
                self.close(_one_line(text), self._state.now + pause)
            case Error(id=0):
                error = _error(message)
                self._hello.fail(error)
                if message.code not in PERMANENT:
                    self.close(str(error), max(self._retry_time(), self._state.now + error.retry_after))
                else:
                    self.close(str(error), 0)
            case Error():
                self._answer(message.id, _error(message))
            case (
                Registered()
                | LoggedIn()
                | Appended()
                | ChannelInfo()
                | GroupInfoResult()
                | OpenRooms()
                | Accounts()
                | KeyPackages()
                | InviteCreated()
                | Ok()
            ):
                self._answer(message.id, message)
            case _:
                return False
        return True

    def tick(self, purpose: str) -> bool:
        """Timers of the connection; False for others'."""
        state = self._state
        if purpose == "ack":
            channels = sorted(self._acks)
            self._acks.clear()
            for start in range(0, len(channels), MAX_POSITIONS):
                part = channels[start : start + MAX_POSITIONS]
                self.send(Ack(tuple((channel, state.position(channel)) for channel in part)))
        elif purpose == "ping":
            if state.connected:
                if self._pinged:
                    self.close("the relay does not answer", self._retry_time())
                else:
                    if state.now - self._heard >= PING_INTERVAL:
                        self._pinged = True
                        self.send(Ping(self._next_id))
                    state.reset_timer("ping", b"", state.now + (PING_INTERVAL // 3 if self._pinged else PING_INTERVAL))
        elif purpose == "request":
            overdue = [deadline for _, deadline in self._requests.values()]
            if overdue and min(overdue) <= state.now:
                self.close("the relay does not answer", self._retry_time())
            elif overdue:
                state.set_timer("request", b"", min(overdue))
        else:
            return False
        return True

    def reconnect(self) -> None:
        """The user wants an attempt now."""
        self._failures = 0
        self.close("connecting anew", self._state.now)

    def close(self, reason: str, retry_at: int) -> None:
        """Ends the connection; 0: only a person can help."""
        self._drop(reason, retry_at)

    def rolled_back(self) -> None:
        """The relay has seen appends of this store that the store knows nothing of: its keys may have been used."""
        self._state.profile.restored = True
        self._state.save_profile()
        text = "This profile is older than what the relay has seen from it: it was restored or copied."
        self._history.notice_security(SecurityKind.ROLLED_BACK, text)
        self.close("starting over with fresh keys", self._state.now)

    # -- the way in

    def _enter(self) -> Task[None]:
        state, profile = self._state, self._state.profile
        hello = yield from wait(self._hello)
        self.nonces = (self.nonces[0], hello.nonce)
        if hello.version != PROTOCOL_VERSION:
            raise RelayError(ErrorCode.UNSUPPORTED_VERSION, "the relay speaks another version: update secure-chat")
        self.features = hello.features
        if not profile.directory_key:
            profile.directory_key = state.authority.directory_key = hello.directory_key
            state.save_profile()
        elif profile.directory_key != hello.directory_key:
            text = "the relay's directory key has changed: it was set up anew, or is not the relay you joined"
            raise RelayError(ErrorCode.UNAUTHENTICATED, text)
        if profile.restored:
            start_over(state, self._device)
        self._device.renew_if_due()
        if not profile.binding:
            yield from self._register(hello)
        answer = yield from self.ask(
            Login(
                0,
                profile.certificate,
                profile.store,
                sign_login(
                    self._device.key,
                    device_id=profile.device_id,
                    store_id=profile.store,
                    client_nonce=self.nonces[0],
                    server_nonce=hello.nonce,
                    server_certificate=self.certificate_hash,
                ),
                profile.visible,
            ),
            LoggedIn,
        )
        self._failures = 0
        if answer.last_counter > state.append_counter:
            self.rolled_back()
            return
        self._become(ConnectionState.CATCHING_UP)
        channels = self._entered(answer)
        self._waiting = set(channels)
        for start in range(0, len(channels), MAX_POSITIONS):
            part = channels[start : start + MAX_POSITIONS]
            yield from self.ask(Subscribe(0, tuple((channel, state.position(channel)) for channel in part)), Ok)

    def _register(self, hello: HelloAck) -> Task[None]:
        state, profile = self._state, self._state.profile
        signature = sign_registration(
            state.account_key,
            certificate=self._device.certificate,
            token=profile.token,
            client_nonce=self.nonces[0],
            server_nonce=hello.nonce,
            server_certificate=self.certificate_hash,
        )
        answer = yield from self.ask(Register(0, profile.token, profile.certificate, signature), Registered)
        binding = bindings.verify(answer.binding, profile.directory_key)
        if (binding.handle, binding.account_key) != (profile.handle, state.own_account):
            raise RelayError(ErrorCode.UNAUTHENTICATED, "the relay registered another name or key than ours")
        profile.binding, profile.token = answer.binding, None
        state.save_profile()

    def _enter_failed(self, promise: Promise[None]) -> None:
        try:
            promise.result()
        except CommandFailed:
            return  # the connection ended meanwhile; that has been told
        except RelayError as error:
            retry_at = 0 if error.code in PERMANENT else max(self._retry_time(), self._state.now + error.retry_after)
            self.close(str(error), retry_at)
        except IdentityError as error:
            self.close(f"the relay's word about this account is not genuine: {error}", 0)

    def _channel_live(self, channel: bytes) -> None:
        state = self._state
        state.live.add(channel)
        room = state.rooms.get(channel)
        if room is not None:
            state.poke(room)
        if channel in self._waiting:
            self._waiting.discard(channel)
            self.check_caught_up()

    def check_caught_up(self) -> None:
        """Goes online once nothing waits any more."""
        if self.connection is ConnectionState.CATCHING_UP and not self._waiting:
            self._state.quiet = False
            self._become(ConnectionState.ONLINE)
            self._state.emit(CaughtUp(self._taken_in))
            self._expected = 0
            for room in self._state.rooms.values():
                self._state.poke(room)

    def forget(self, channel: bytes) -> None:
        """The relay delivers nothing more of this channel."""
        self._state.live.discard(channel)
        self._waiting.discard(channel)
        self._acks.discard(channel)

    # -- the way out

    def _answer(self, number: int, answer: ServerMessage | SecureChatError) -> None:
        promise, _ = self._requests.pop(number, (None, 0))
        if promise is None:
            return  # an answer to nothing: a relay that invents ids gains nothing by it
        if isinstance(answer, SecureChatError):
            promise.fail(answer)
        else:
            promise.keep(answer)

    def _drop(self, reason: str, retry_at: int) -> None:
        state = self._state
        state.connected = False
        state.quiet = True
        state.live.clear()
        state.online.clear()
        self._waiting.clear()
        self._acks.clear()
        for purpose in ("ping", "request", "ack"):
            state.cancel_timer(purpose, b"")
        requests = [promise for promise, _ in self._requests.values()]
        self._requests.clear()
        self._hello.fail(CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT))
        for promise in requests:
            promise.fail(CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT))
        self._dropped()
        state.effects.disconnect = Disconnect(retry_at)
        self._become(ConnectionState.OFFLINE, reason, retry_at)

    def _become(self, connection: ConnectionState, reason: str = "", retry_at: int = 0) -> None:
        self.connection = connection
        self.reason = reason
        self._state.emit(ConnectionChanged(connection, reason, retry_at))

    def _retry_time(self) -> int:
        delay = min(FIRST_RETRY * 2 ** min(self._failures, 10), LONGEST_RETRY)
        self._failures += 1
        return self._state.now + self._state.jitter(delay // 2, delay)


def _error(message: Error) -> RelayError:
    wait_for = min(message.retry_after, LONGEST_WAIT)
    return RelayError(message.code, _one_line(message.message), retry_after=wait_for, head=message.head)


def _one_line(text: str) -> str:
    """A relay's words, which get onto screens and into the history: short, and nothing that moves a cursor."""
    text = text[:MAX_WORDS] + "…" if len(text) > MAX_WORDS else text
    return "".join(character if character.isprintable() else " " for character in text)
