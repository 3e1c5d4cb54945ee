"""Secrets in records: what they show of themselves."""

from secure_chat.client.engine.create import new_profile
from secure_chat.client.engine.effects import PutRow
from secure_chat.client.engine.spaces import Outgoing, Profile, StoredKeyPackage, decode
from secure_chat.identity.keys import AccountKey


class Fixed:
    """Randomness that is easily found again."""

    def randbytes(self, n: int, /) -> bytes:
        """Letters."""
        return b"Z" * n

    def random(self) -> float:
        """The middle."""
        return 0.5


def test_no_record_shows_a_secret() -> None:
    """A repr may get into a log or a traceback: it names what the record is, and nothing that it keeps."""
    seed = b"A" * 32
    (row,) = new_profile(Fixed(), 1, handle="anna", address="a:1", ca_pin=None, token="QQQQ", account=AccountKey(seed))
    assert isinstance(row, PutRow)
    records = (
        row,
        decode(Profile, row.value),
        StoredKeyPackage(1, 3, seed, 1, True, bytes(32), seed, b""),
        Outgoing(1, 1, bytes(16), bytes(16), "text", seed, 1, True, envelope=seed),
    )
    for record in records:
        assert not {"AAAA", "ZZZZ", "QQQQ"} & {repr(record)[i : i + 4] for i in range(len(repr(record)))}
