"""Looking for plaintexts and keys where none may be: in bytes, files and the memory of a running process.

Text is looked for in every form in which programs keep or print it. A search that finds nothing proves nothing by
itself: whoever uses these looks in each place for something that is known to be there, too.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["files_below", "found_in", "memory_of", "places", "spellings"]

CHUNK = 16 * 1024 * 1024
"""Bytes of memory read at once; a process's arenas can be larger than is good to hold twice."""
OVERLAP = 1024
"""Bytes read again with the next chunk: longer than any spelling looked for."""
UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
"""Mappings of the kernel's own that can't be read through /proc/PID/mem."""


def spellings(needle: bytes) -> dict[str, bytes]:
    """The forms of some bytes, by name: as they are, in hexadecimal, and in Base64 wherever it may begin."""
    forms = {"bytes": needle, "hex": needle.hex().encode(), "HEX": needle.hex().upper().encode()}
    for shift in range(3):
        # What only the needle's own bits decide: the letters at both ends depend on what stands beside it.
        first, last = (shift * 8 + 5) // 6, (shift + len(needle)) * 8 // 6
        padded = bytes(shift) + needle
        forms[f"base64+{shift}"] = base64.b64encode(padded)[first:last]
        forms[f"base64url+{shift}"] = base64.urlsafe_b64encode(padded)[first:last]
    return forms


def _forms(needle: str | bytes) -> Mapping[str, bytes]:
    if isinstance(needle, bytes):
        return spellings(needle)
    wide = {name: needle.encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le")}
    return {**spellings(needle.encode()), **wide}


def found_in(pieces: Iterable[bytes], needles: Mapping[str, str | bytes]) -> list[str]:
    """Which of the named needles these bytes hold, and in which form."""
    forms = [(f"{name} ({form})", value) for name, needle in needles.items() for form, value in _forms(needle).items()]
    found: set[str] = set()
    for piece in pieces:
        found.update(name for name, value in forms if value in piece)
    return sorted(found)


def places(bodies: Mapping[str, bytes], needles: Mapping[str, str | bytes]) -> list[str]:
    """The same for several named bodies of bytes: what was found where."""
    return [f"{place}: {found}" for place, body in bodies.items() for found in found_in([body], needles)]


def files_below(folder: Path) -> dict[str, bytes]:
    """Everything that lies in files below a folder: names with contents."""
    return {
        str(path.relative_to(folder)): bytes(path.relative_to(folder)) + b"\0" + path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def memory_of(pid: int) -> Iterator[bytes]:
    """All readable memory of a running process, in chunks that overlap; PermissionError where one may not look."""
    mappings = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for mapping in mappings:
            span, rights, *rest = mapping.split(maxsplit=5)
            name = rest[3] if len(rest) > 3 else ""
            if not rights.startswith("r") or name in UNREADABLE:
                continue
            place, end = (int(number, 16) for number in span.split("-"))
            while place < end:
                memory.seek(place)
                try:
                    chunk = memory.read(min(CHUNK, end - place))
                except OSError:
                    break  # a mapped file that has become shorter, or a region that has been given back
                if not chunk:
                    break
                yield chunk
                place += len(chunk) if place + len(chunk) >= end else len(chunk) - OVERLAP
