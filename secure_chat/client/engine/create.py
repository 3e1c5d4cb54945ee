"""A new profile: what the store holds before the engine is opened for the first time."""

from secure_chat.client.engine import spaces
from secure_chat.client.engine.device import certify
from secure_chat.client.engine.effects import PutRow, StoreReader, Write
from secure_chat.client.engine.spaces import Profile
from secure_chat.client.engine.state import Randomness
from secure_chat.identity.handle import require_handle
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.wire.limits import DEVICE_ID_LENGTH, STORE_ID_LENGTH

__all__ = ["is_registered", "new_profile"]


def new_profile(
    random: Randomness,
    now: int,
    *,
    handle: str,
    address: str,
    ca_pin: bytes | None,
    token: str | None,
    inviter: bytes | None = None,
    account: AccountKey | None = None,
) -> list[Write]:
    """The first writes of a profile: account and device keys, and what the invite link said.

    `now` in milliseconds, `address` is host:port, `ca_pin` the pinned CA's key hash (None: a public CA), `inviter` the
    inviting account's fingerprint, `account` the key of a recovery code (None: a new account). Raises HandleError.
    The engine registers on its first connection.
    """
    code_due = account is None
    account = account or AccountKey(random.randbytes(32))
    device_id, device_seed = random.randbytes(DEVICE_ID_LENGTH), random.randbytes(32)
    certificate = certify(
        account,
        handle=require_handle(handle),
        device_key=DeviceKey(device_seed).public,
        device_id=device_id,
        serial=now,
        now=now,
    )
    profile = Profile(
        version=spaces.FORMAT,
        handle=handle,
        account_seed=account.seed,
        device_id=device_id,
        device_seed=device_seed,
        certificate=certificate.encode(),
        store=random.randbytes(STORE_ID_LENGTH),
        address=address,
        token=token,
        inviter=inviter,
        ca_pin=ca_pin,
        code_due=code_due,
    )
    return [PutRow(spaces.PROFILE, b"profile", spaces.encode(profile))]


def is_registered(reader: StoreReader) -> bool:
    """Whether the relay has confirmed the account: then this store may hold the only copy of its key."""
    row = reader.get(spaces.PROFILE, b"profile")
    return row is not None and spaces.decode(Profile, row).binding != b""
