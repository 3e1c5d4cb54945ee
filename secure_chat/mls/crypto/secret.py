"""Secret bytes that never print themselves."""

import hmac
from typing import NoReturn

__all__ = ["Secret"]


class Secret(bytes):
    """Bytes that must not reach a log: redacted in `repr`, `str` and `format`, compared in constant time.

    Slicing gives plain bytes, as of any `bytes`; wrap a part that stays secret in `Secret` again.
    Raises TypeError when pickled: secrets are stored only by the code that knows how to protect them.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Secret of {len(self)} bytes>"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, bytes):
            return NotImplemented
        return hmac.compare_digest(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = bytes.__hash__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self
