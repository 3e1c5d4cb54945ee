"""Accounts, devices and channels written straight into a relay's database, as logins and foundings would leave them."""

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from secure_chat.identity import binding, labels
from secure_chat.identity.certificate import CERTIFICATE_VERSION, DeviceCertificate
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.identity.labels import Purpose
from secure_chat.server.core.storage import AccountRecord, ChannelRecord, DeviceRecord, MemberRecord
from secure_chat.server.home import Home
from secure_chat.server.storage.database import Database, SqliteTransaction
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import ChannelKind, Entry, EntryKind

__all__ = ["Identity", "Population"]

FOUNDED = 1
"""Every channel's head: as if its first entry had been the founding, and everybody had read it."""
DAY = 86_400


@dataclass(slots=True)
class Identity:
    """A person with one device, ready to log in."""

    account: bytes
    seed: bytes
    device: bytes
    store: bytes
    certificate: bytes
    number: int
    channel: bytes
    """What its connection sends to or subscribes to; the inbox at first."""
    position: int = 0

    def line(self) -> str:
        """As the load generator reads it."""
        parts = (self.seed, self.device, self.store, self.certificate, self.channel)
        return " ".join(part.hex() for part in parts) + f" {self.position}"


class Population:
    """Fills one database; the relay must not be running."""

    def __init__(self, home: Home) -> None:
        home.prepare()
        self._database = Database(home.database)
        self._directory = home.directory_key()
        self._now = time.time_ns() // 1_000_000
        self.identities: list[Identity] = []

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    def people(self, count: int) -> list[Identity]:
        """So many more accounts, each with a device and its inbox."""
        made: list[Identity] = []
        with self._database.transaction() as transaction:
            for _ in range(count):
                made.append(self._person(transaction, f"p{len(self.identities) + len(made)}"))
        self.identities += made
        return made

    def _person(self, transaction: SqliteTransaction, handle: str) -> Identity:
        account, device = AccountKey.generate(), DeviceKey.generate()
        device_id = secrets.token_bytes(16)
        issued = self._now // 1000 - DAY
        fields = (CERTIFICATE_VERSION, handle, account.public, device.public, device_id, 1, issued, issued + 365 * DAY)
        certificate = DeviceCertificate(*fields, labels.sign(account, Purpose.DEVICE_CERTIFICATE, *fields)).encode()
        bound = binding.bind(self._directory, handle, account.public).encode()
        transaction.directory.put_account(AccountRecord(account.public, handle, bound, self._now))
        inbox = ChannelRecord(secrets.token_bytes(16), ChannelKind.INBOX, created=self._now)
        record = DeviceRecord(device_id, account.public, certificate, 1, inbox.id, self._now)
        transaction.directory.put_device(record)
        transaction.channels.put_channel(inbox)
        transaction.channels.put_member(
            inbox.number, MemberRecord(device_id, account.public, record.number, joined=1, cursor=0)
        )
        store = secrets.token_bytes(16)
        return Identity(account.public, device.seed, device_id, store, certificate, record.number, inbox.id)

    def room(self, members: Sequence[Identity]) -> bytes:
        """A closed room that was founded by its first member; they all send and listen there by default."""
        with self._database.transaction() as transaction:
            return self._room(transaction, members)

    def rooms(self, groups: Sequence[Sequence[Identity]]) -> list[bytes]:
        """Many rooms in one transaction."""
        with self._database.transaction() as transaction:
            return [self._room(transaction, members) for members in groups]

    def _room(self, transaction: SqliteTransaction, members: Sequence[Identity]) -> bytes:
        founder = members[0].account
        record = ChannelRecord(
            secrets.token_bytes(16),
            ChannelKind.ROOM,
            creator=founder,
            created=self._now,
            generation=1,
            heads=(FOUNDED,),
            admins=(founder,),
            floor=FOUNDED,
            counted=FOUNDED,
        )
        transaction.channels.put_channel(record)
        for member in members:
            transaction.channels.put_member(
                record.number, MemberRecord(member.device, member.account, member.number, FOUNDED, FOUNDED)
            )
            member.channel, member.position = record.id, FOUNDED
        return record.id

    def entries(self, channel: bytes, sender: Identity, count: int, payload: int = 512) -> None:
        """So many more entries in a channel, each as large as a chat message."""
        with self._database.transaction() as transaction:
            record = transaction.channels.channel(channel)
            assert record is not None
            last = transaction.log.last(record)
            size = 0
            for number in range(1, count + 1):
                stamp = f"S{0:016x}{0:04x}".encode()
                text = stamp + b"x" * (payload - len(stamp))
                entry = Entry(channel, last + number, EntryKind.APPLICATION, sender.device, sender.store, number,
                              self._now, FOUNDED, text)  # fmt: skip
                frame = encode_frame(entry)
                size += len(frame)
                transaction.log.append(record.number, last + number, self._now, frame)
            record.entries += count
            record.bytes += size
            record.counted = last + count
            transaction.channels.put_channel(record)

    def write_identities(self, path: os.PathLike[str]) -> None:
        """The file for the load generator."""
        with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.writelines(identity.line() + "\n" for identity in self.identities)


def certificate_hash(der: bytes) -> str:
    """What a login signs, in hexadecimal."""
    return hashlib.sha256(der).hexdigest()
