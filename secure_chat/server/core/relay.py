"""The relay: inputs in, effects out. Every decision is a function of its state, the storage, and its arguments.

The state beside the storage is who is connected, a bounded cache of channels, and rate limits; a relay made anew over
the same storage goes on as one that was restarted.
"""

from collections.abc import Callable, Sequence

from secure_chat.identity.keys import DirectoryKey
from secure_chat.server.core import (
    accounts,
    channels,
    delivery,
    invites,
    key_packages,
    login,
    operator,
    presence,
)
from secure_chat.server.core.append import append, note_refusal
from secure_chat.server.core.context import Connection, Context, Phase
from secure_chat.server.core.effects import (
    AdminReply,
    AdminRequest,
    Connected,
    Disconnected,
    Effects,
    Input,
    Received,
    Tick,
)
from secure_chat.server.core.fairness import Limits
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.storage import Transaction
from secure_chat.wire import messages as wire
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import ClientMessage, ServerMessage

__all__ = ["Relay"]

_EXPIRY_INTERVAL_MS = 5_000
"""How often entries, append ids and credits are looked over for what has expired."""
_MAX_REFUSALS = 1_000
"""Requests over its rate after which a connection is closed: it is not listening to the answers."""
_POSITIONS_PER_REQUEST = 16
"""So many channels in a subscription or acknowledgement cost as much as one request."""
_CLOSING = (ErrorCode.MALFORMED, ErrorCode.UNSUPPORTED_VERSION)


class Relay:
    """The core; belongs to the writer thread."""

    def __init__(
        self,
        settings: Settings,
        directory: DirectoryKey,
        random_bytes: Callable[[int], bytes],
        ca_certificate: bytes = b"",
    ) -> None:
        self._context = Context(settings, directory, random_bytes)
        self._context.ca_certificate = ca_certificate
        self._next_expiry = 0
        self._set_rate(settings)

    def reconfigure(self, settings: Settings, ca_certificate: bytes) -> None:
        """New settings from the next batch on; credits of rate limits start afresh."""
        self._context.settings = settings
        self._context.ca_certificate = ca_certificate
        self._context.limits = Limits(settings)
        self._set_rate(settings)

    def handle(self, batch: Sequence[Input], transaction: Transaction, now: int) -> Effects:
        """One batch in one transaction; `now` in milliseconds. Never raises for what a client sent."""
        context = self._context
        context.begin(transaction, now)
        connections = context.connections
        for item in batch:
            if type(item) is Received:
                connection = connections.get(item.connection)
                if connection is not None and connection.phase is not Phase.CLOSED:
                    self._receive(connection, item.message)
            else:
                self._other(item)
        delivery.flush_appends(context)
        if context.full:
            delivery.drop_oldest(context)
        delivery.evict_idle(context)
        return Effects(context.outputs)

    def _other(self, item: Input) -> None:
        context = self._context
        match item:
            case Connected():
                context.connections[item.connection] = Connection(item)
            case Disconnected():
                connection = context.connections.pop(item.connection, None)
                if connection is not None:
                    context.leave(connection)
            case Tick():
                self._tick()
            case AdminRequest():
                context.outputs.append(AdminReply(item.ticket, operator.execute(context, item.command)))
            case _:
                raise AssertionError(f"no input: {item!r}")

    def _tick(self) -> None:
        context = self._context
        presence.announce(context)
        delivery.flush(context)
        if context.now >= self._next_expiry:
            finished = delivery.expire(context)
            self._next_expiry = context.now + (_EXPIRY_INTERVAL_MS if finished else 0)
            context.limits.prune(context.now)

    def _receive(self, connection: Connection, message: ClientMessage) -> None:
        context = self._context
        try:
            self._take_credit(connection, message)
            if type(message) is wire.Append and connection.phase is Phase.LOGGED_IN:
                append(context, connection, message)
                return
            answer = self._answer(connection, message)
            if answer is not None:
                context.send(connection, answer)
        except RelayError as error:
            if type(message) is wire.Append:
                note_refusal(context, connection, message, error)
            self._refuse(connection, message, error)

    def _answer(self, connection: Connection, message: ClientMessage) -> ServerMessage | None:
        """The answer; None where there is none, or where it was sent already."""
        context = self._context
        phase = connection.phase
        match message:
            case wire.Ping():
                return wire.Pong(message.id)
            case wire.Pong():
                return None
        if phase is Phase.LOGGED_IN:
            match message:
                case wire.Ack():
                    delivery.acknowledge(context, connection, message)
                    return None
                case wire.Ephemeral():
                    presence.pass_on(context, connection, message)
                    return None
                case wire.Subscribe():
                    delivery.subscribe(context, connection, message)
                    return None
                case wire.CreateChannel():
                    return channels.create_channel(context, connection, message)
                case wire.GetChannel():
                    return channels.get_channel(context, connection, message)
                case wire.GetGroupInfo():
                    return channels.get_group_info(context, connection, message)
                case wire.ListRooms():
                    return channels.list_rooms(context, connection, message)
                case wire.Lookup():
                    return accounts.look_up(context, connection, message)
                case wire.PublishKeyPackages():
                    return key_packages.publish_key_packages(context, connection, message)
                case wire.ClaimKeyPackages():
                    return key_packages.claim_key_packages(context, connection, message)
                case wire.RevokeDevices():
                    accounts.revoke_devices(context, connection, message)
                    return None
                case wire.DeleteAccount():
                    accounts.delete_account(context, connection, message)
                    return None
                case wire.CreateInvite():
                    return invites.create_invite(context, connection, message)
                case wire.RevokeInvite():
                    return invites.revoke_invite(context, connection, message)
        elif phase is Phase.GREETED:
            match message:
                case wire.Login():
                    return login.log_in(context, connection, message)
                case wire.Register():
                    return login.register(context, connection, message)
        else:
            match message:
                case wire.Hello():
                    return login.greet(context, connection, message)
                case wire.GetCa():
                    login.get_ca(context, connection, message)
                    return None
        raise RelayError(ErrorCode.UNEXPECTED, "not the time for this message")

    def _set_rate(self, settings: Settings) -> None:
        self._interval = 1000 / settings.requests_per_second
        self._burst = self._interval * settings.requests_burst

    def _take_credit(self, connection: Connection, message: ClientMessage) -> None:
        """The rate limit that every connection carries (`fairness.RateLimit`, in short)."""
        now = self._context.now
        whole = connection.whole
        whole = (whole if whole > now else now) + self._interval
        if isinstance(message, (wire.Subscribe, wire.Ack)):
            whole += self._interval * (len(message.positions) // _POSITIONS_PER_REQUEST)
        if whole - now > self._burst:
            connection.refusals += 1
            wait = int(whole - now - self._burst) + 1
            raise RelayError(ErrorCode.RATE_LIMITED, "too many requests", retry_after=wait)
        connection.whole = whole
        connection.refusals = 0

    def _refuse(self, connection: Connection, message: ClientMessage, error: RelayError) -> None:
        context = self._context
        request: int = getattr(message, "id", 0)
        answer = wire.Error(request, error.code, str(error), error.retry_after, error.head)
        if error.code in _CLOSING or connection.refusals > _MAX_REFUSALS:
            context.close(connection, answer)
        elif isinstance(message, wire.Ack | wire.Ephemeral | wire.Pong) and connection.phase is Phase.LOGGED_IN:
            return  # never answered
        elif request or hasattr(message, "id"):
            context.send(connection, answer)
        else:
            context.close(connection, answer)
