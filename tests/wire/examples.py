"""The example frames of docs/wire-protocol.md; seeds and ids are those of docs/identity.md."""

from secure_chat.identity import binding as directory_binding
from secure_chat.identity import certificate as certificates
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.identity.login import sign_login, sign_registration
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import (
    Ack,
    Append,
    Appended,
    CaughtUp,
    ChannelChange,
    ChannelKind,
    ChannelSummary,
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
    Register,
    Registered,
    Subscribe,
    Welcome,
)

__all__ = ["example_frames"]

_ACCOUNT = AccountKey(b"\x01" * 32)
_DEVICE = DeviceKey(b"\x03" * 32)
_DIRECTORY = DirectoryKey(b"\x04" * 32)
_DEVICE_ID, _STORE = b"\x05" * 16, b"\x09" * 16
_CLIENT_NONCE, _SERVER_NONCE, _CERTIFICATE_HASH = b"\x06" * 32, b"\x07" * 32, b"\x08" * 32
_TOKEN = "CgoKCgoKCgoKCgoKCgoKCg"
_ROOM, _INBOX, _INCARNATION = b"\x0c" * 16, b"\x0d" * 16, b"\x0e" * 16
_OTHER = MemberDevice(b"\x0f" * 16, b"\x10" * 32)
_TIME = 1_500_000


def example_frames() -> dict[str, Message]:
    """Name to message, in the order of the document: alice registers, logs in, founds a room with bob, and writes."""
    certificate = certificates.issue(
        _ACCOUNT,
        handle="alice",
        device_key=_DEVICE.public,
        device_id=_DEVICE_ID,
        serial=7,
        issued=1000,
        expires=2000,
    )
    binding = directory_binding.bind(_DIRECTORY, "alice", _ACCOUNT.public).encode()
    registration = sign_registration(
        _ACCOUNT,
        certificate=certificate,
        token=_TOKEN,
        client_nonce=_CLIENT_NONCE,
        server_nonce=_SERVER_NONCE,
        server_certificate=_CERTIFICATE_HASH,
    )
    login = sign_login(
        _DEVICE,
        device_id=_DEVICE_ID,
        store_id=_STORE,
        client_nonce=_CLIENT_NONCE,
        server_nonce=_SERVER_NONCE,
        server_certificate=_CERTIFICATE_HASH,
    )
    inbox = ChannelSummary(_INBOX, ChannelKind.INBOX, "", b"", 0, 0, 1, 0, 0, 1)
    own = (_DEVICE_ID, _STORE)
    return {
        "hello": Hello((1,), ("ephemeral", "presence"), _CLIENT_NONCE, "example 1.0"),
        "hello_ack": HelloAck(1, ("ephemeral", "presence"), _SERVER_NONCE, _DIRECTORY.public, _TIME),
        "register": Register(1, _TOKEN, certificate.encode(), registration),
        "registered": Registered(1, binding),
        "login": Login(2, certificate.encode(), _STORE, login),
        "logged_in": LoggedIn(2, binding, _INCARNATION, 0, inbox, (), ((3, 20),), _TIME),
        "subscribe": Subscribe(3, ((_INBOX, 0),)),
        "ok": Ok(3),
        "caught_up": CaughtUp(_INBOX, 0),
        "create_channel": CreateChannel(4, ChannelKind.ROOM),
        "append a founding": Append(
            5,
            _ROOM,
            1,
            EntryKind.FOUNDING,
            0,
            b"MLS commit",
            ChannelChange(add=(_OTHER,)),
            (Welcome(b"MLS Welcome", (_OTHER.device,)),),
        ),
        "appended": Appended(5, 1, 1, _TIME),
        "entry of the founding": Entry(_ROOM, 1, EntryKind.FOUNDING, *own, 1, _TIME, 0, b"MLS commit", added=(_OTHER,)),
        "entry of the Welcome": Entry(
            b"\x11" * 16, 1, EntryKind.WELCOME, *own, 1, _TIME, 0, b"MLS Welcome", origin=(_ROOM, 1)
        ),
        "append a message": Append(6, _ROOM, 2, EntryKind.APPLICATION, 1, b"MLS PrivateMessage"),
        "entry of the message": Entry(_ROOM, 2, EntryKind.APPLICATION, *own, 2, _TIME, 1, b"MLS PrivateMessage"),
        "ack": Ack(((_ROOM, 2),)),
        "error": Error(7, ErrorCode.CONFLICT, "another commit came first", 0, 4),
    }


def main() -> None:
    """Prints them as the document has them."""
    for name, message in example_frames().items():
        print(f"{name} = {encode_frame(message).hex()}")


if __name__ == "__main__":
    main()
