"""Any message of the protocol, from its type."""

import enum
import inspect
import types
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import Meta, Struct

from secure_chat.wire.messages import ClientMessage, ServerMessage

__all__ = ["client_messages", "server_messages"]

_MOST = 40
"""Variable lengths stay below this, whatever the limit."""


def _values(hint: object, metas: tuple[Meta, ...] = ()) -> st.SearchStrategy[Any]:
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *found = get_args(hint)
        return _values(inner, (*metas, *(meta for meta in found if isinstance(meta, Meta))))
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        return st.none() | st.one_of(*(_values(option) for option in options))
    meta = metas[0] if metas else Meta()
    low, high = meta.min_length or 0, min(meta.max_length or _MOST, _MOST)
    if origin is tuple:
        arguments = get_args(hint)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return st.lists(_values(arguments[0]), min_size=low, max_size=min(high, 3)).map(tuple)
        return st.tuples(*(_values(argument) for argument in arguments))
    assert inspect.isclass(hint)
    if issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    if issubclass(hint, Struct):
        return _structures(hint)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(int(meta.ge or 0), int(meta.le if meta.le is not None else 2**63 - 1))
    if hint is bytes:
        return st.binary(min_size=low, max_size=max(low, high))
    if meta.pattern is not None:
        return st.from_regex(r"\A[a-z0-9._-]{1,32}\Z")
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=low, max_size=high)


def _structures(structure: type[Struct]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(structure, include_extras=True)
    names = [field.name for field in msgspec.structs.fields(structure)]
    return st.builds(structure, **{name: _values(hints[name]) for name in names})


client_messages: st.SearchStrategy[ClientMessage] = st.one_of(*map(_structures, get_args(ClientMessage)))
server_messages: st.SearchStrategy[ServerMessage] = st.one_of(*map(_structures, get_args(ServerMessage)))
