"""Fuzz what strangers and members send to the relay: python -m tests.fuzz.relay frames|sessions [libFuzzer options].

`frames` is the frame decoder alone; `sessions` the decoder, the core and the database, as a member in a room. Typed
answers are all that may come out: FrameError ends a session, everything else that is raised is a finding. Every input
starts from the same database and the same randomness, so a finding can be replayed by giving its file as an option.
"""

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["secure_chat.wire", "secure_chat.server"]):
    from secure_chat.identity.keys import DirectoryKey
    from secure_chat.server.core.effects import AdminReply, Connected, Delivery, Effects, Input, Received, Tick
    from secure_chat.server.core.relay import Relay
    from secure_chat.server.core.settings import Settings
    from secure_chat.server.core.storage import Transaction
    from secure_chat.server.storage.database import Database
    from secure_chat.wire.errors import FrameError
    from secure_chat.wire.framing import (
        FrameBuffer,
        client_message_decoder,
        encode_frame,
        server_message_decoder,
    )
    from secure_chat.wire.messages import (
        Append,
        ChannelChange,
        ChannelInfo,
        ChannelKind,
        ClientMessage,
        CreateChannel,
        EntryKind,
        GetChannel,
        Hello,
        HelloAck,
        Login,
        MemberDevice,
        Register,
        ServerMessage,
        Subscribe,
        Welcome,
    )

from secure_chat.identity import login
from secure_chat.identity.certificate import issue
from secure_chat.identity.keys import AccountKey, DeviceKey

__all__ = ["main"]

NOW = 1_800_000_000_000
CERTIFICATE = bytes(32)
MAX_INPUT = 4096
SETTINGS = Settings(open_registration=True, requests_burst=1_000_000, commits_burst=1_000, disk_reserve=0)


class _Done(Exception):
    """Takes back what an input has written."""


class _Member:
    """An account with one device."""

    def __init__(self, name: str) -> None:
        seed = hashlib.sha256(name.encode()).digest()
        self.account, self.device = AccountKey(seed), DeviceKey(seed[::-1])
        self.device_id, self.store = seed[:16], seed[16:]
        self.certificate = issue(
            self.account, handle=name, device_key=self.device.public, device_id=self.device_id, serial=1,
            issued=NOW // 1000 - 100, expires=NOW // 1000 + 100,
        )  # fmt: skip
        self.nonce = seed

    def enter(self, connection: int, handle: Callable[[list[Input]], Effects], *, register: bool) -> None:
        effects = handle([Connected(connection, CERTIFICATE, "192.0.2.1"), Received(connection, self.hello())])
        (ack,) = _messages(effects)
        assert isinstance(ack, HelloAck)
        proof = {"client_nonce": self.nonce, "server_nonce": ack.nonce, "server_certificate": CERTIFICATE}
        if register:
            signature = login.sign_registration(self.account, certificate=self.certificate, token=None, **proof)
            handle([Received(connection, Register(1, None, self.certificate.encode(), signature))])
        signature = login.sign_login(self.device, device_id=self.device_id, store_id=self.store, **proof)
        handle([Received(connection, Login(2, self.certificate.encode(), self.store, signature))])

    def hello(self) -> Hello:
        return Hello((1,), (), self.nonce)


def _messages(effects: Effects) -> list[ServerMessage]:
    found: list[ServerMessage] = []
    for output in effects.outputs:
        frame = getattr(output, "frame", b"")
        if frame and not isinstance(output, Delivery | AdminReply):
            found += FrameBuffer(server_message_decoder).feed(frame)
    return found


class Sessions:
    """A relay with two members and a room, to which every input returns."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "relay.sqlite")
        self._members = [_Member("alice"), _Member("bob")]
        with self._database.transaction() as transaction:
            handle = self._relay(transaction, 0)
            for number, member in enumerate(self._members, 1):
                member.enter(number, handle, register=True)
            made = handle([Received(1, CreateChannel(3, ChannelKind.ROOM))])
            (info,) = [message for message in _messages(made) if isinstance(message, ChannelInfo)]
            self.room = info.summary.channel
            bob = self._members[1]
            change = ChannelChange(add=(MemberDevice(bob.device_id, bob.account.public),))
            handle([Received(1, Append(4, self.room, 1, EntryKind.FOUNDING, 0, b"founding", change))])

    def seeds(self) -> list[bytes]:
        """What the room's members might say."""
        bob = self._members[1]
        welcome = Welcome(b"welcome", (bob.device_id,))
        messages: list[ClientMessage] = [
            Append(5, self.room, 2, EntryKind.APPLICATION, 1, b"hello"),
            Append(6, self.room, 3, EntryKind.COMMIT, 1, b"commit", ChannelChange(remove=(bob.device_id,)), (welcome,)),
            Append(7, self.room, 4, EntryKind.MEMBERS, 1, b"", ChannelChange(remove=(self._members[0].device_id,))),
            Subscribe(8, ((self.room, 0),)),
            GetChannel(9, self.room),
            CreateChannel(10, ChannelKind.OPEN, "lobby"),
            CreateChannel(11, ChannelKind.DIRECT, "", bob.account.public),
        ]
        frames = [encode_frame(message) for message in messages]
        return [*frames, b"".join(frames)]

    def run(self, data: bytes) -> None:
        """One session: everything before the first broken frame, in one batch, and some time after it."""
        with contextlib.suppress(_Done), self._database.transaction() as transaction:
            handle = self._relay(transaction, 1_000)
            for number, member in enumerate(self._members, 1):
                member.enter(number, handle, register=False)
            inputs: list[Input] = []
            with contextlib.suppress(FrameError):
                for message in FrameBuffer(client_message_decoder).feed(data):
                    inputs.append(Received(1, message))
            _messages(handle(inputs))
            handle([Tick()])
            raise _Done

    def _relay(self, transaction: Transaction, after: int) -> Callable[[list[Input]], Effects]:
        drawn = after

        def random_bytes(count: int) -> bytes:
            nonlocal drawn
            drawn += 1
            return hashlib.sha256(drawn.to_bytes(8, "big")).digest()[:count]

        relay = Relay(SETTINGS, DirectoryKey(bytes(32)), random_bytes)
        moments = iter(range(NOW + after, NOW + after + 60_000_000, 10_000))
        return lambda batch: relay.handle(batch, transaction, next(moments))


def frames(data: bytes) -> None:
    """The decoder alone, cut at a place the input chooses."""
    buffer: FrameBuffer[ClientMessage] = FrameBuffer(client_message_decoder, MAX_INPUT)
    place = data[0] if data else 0
    with contextlib.suppress(FrameError):
        for piece in (data[1 : place + 1], data[place + 1 :]):
            for message in buffer.feed(piece):
                encode_frame(message)


def main() -> None:
    """libFuzzer ends the process; its exit code tells of a finding."""
    what, *options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-relay-"))
    sessions = Sessions(folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(sessions.seeds()):
        (corpus / str(number)).write_bytes(seed if what == "sessions" else b"\x07" + seed)
    run = {"frames": frames, "sessions": sessions.run}[what]
    atheris.Setup([sys.argv[0], str(corpus), f"-max_len={MAX_INPUT}", *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
