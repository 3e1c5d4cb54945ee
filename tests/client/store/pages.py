"""What really stands in a store's file: every page decrypted, free ones and those in the write-ahead log included.

The format is SQLite3 Multiple Ciphers' "chacha20": the last 32 bytes of a page are nonce and tag, the rest is encrypted
by ChaCha20 (RFC 8439) under a key that the first block of the stream under the store's key gives; the first 24 bytes of
page 1 are not encrypted. The log's frames hold pages in the same form, after a header of 24 bytes each.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

__all__ = ["raw_pages"]

PAGE = 4096
RESERVED = 32
PLAIN_FRONT = 24
LOG_HEADER = 32
FRAME_HEADER = 24


def raw_pages(path: Path, key: bytes) -> bytes:
    """The file's pages and after them the log's, decrypted."""
    return b"".join((*_of_file(path.read_bytes(), key), *_of_log(path.with_name(path.name + "-wal"), key)))


def _of_file(data: bytes, key: bytes) -> Iterator[bytes]:
    for number, place in enumerate(range(0, len(data), PAGE), 1):
        yield _decrypt(data[place : place + PAGE], number, key)


def _of_log(path: Path, key: bytes) -> Iterator[bytes]:
    data = path.read_bytes() if path.exists() else b""
    for place in range(LOG_HEADER, len(data) - PAGE, FRAME_HEADER + PAGE):
        frame = data[place : place + FRAME_HEADER + PAGE]
        (number,) = struct.unpack_from(">I", frame)
        if number:  # else room for commits to come
            yield _decrypt(frame[FRAME_HEADER:], number, key)


def _decrypt(page: bytes, number: int, key: bytes) -> bytes:
    end = len(page) - RESERVED
    nonce = page[end : end + 16]
    counter = struct.unpack_from("<I", nonce, 12)[0] ^ number
    page_key = _stream(key, nonce, counter, 64)[32:]
    front = PLAIN_FRONT if number == 1 else 0
    encrypted = page[front:end]
    stream = _stream(page_key, nonce, counter + 1, len(encrypted))
    return page[:front] + bytes(a ^ b for a, b in zip(encrypted, stream, strict=True))


def _stream(key: bytes, nonce: bytes, counter: int, length: int) -> bytes:
    start = struct.pack("<I", counter & 0xFFFFFFFF) + nonce[:12]
    return Cipher(algorithms.ChaCha20(key, start), None).encryptor().update(bytes(length))
