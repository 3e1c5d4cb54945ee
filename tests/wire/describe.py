"""Describes the wire's structures in the words of docs/wire-protocol.md, from their types."""

import enum
import inspect
import types
from typing import Annotated, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

__all__ = ["describe_fields", "tag_of"]

_UINT_MAX = 2**63 - 1
_DEFAULTS = {"None": "nil", "True": "true", "False": "false", "''": '""', "b''": "empty", "()": "[]"}


def tag_of(structure: type[Struct]) -> str | None:
    """What stands first in the array; None for structures inside messages."""
    tag = structure.__struct_config__.tag
    assert tag is None or isinstance(tag, str)
    return tag


def describe_fields(structure: type[Struct]) -> str:
    """`name: type`, in wire order; a default means that the fields from there on may be missing."""
    hints = get_type_hints(structure, include_extras=True)
    parts: list[str] = []
    for field in msgspec.structs.fields(structure):
        text = f"{field.name}: {_describe(hints[field.name])}"
        if not field.required:
            text += f" = {_DEFAULTS.get(repr(field.default), field.default)}"
        parts.append(text)
    return ", ".join(parts)


def _describe(hint: object, metas: tuple[Meta, ...] = ()) -> str:
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *found = get_args(hint)
        return _describe(inner, (*metas, *(meta for meta in found if isinstance(meta, Meta))))
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        assert len(options) == 1
        return f"{_describe(options[0])} or nil"
    if origin is tuple:
        arguments = get_args(hint)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            most = next((meta.max_length for meta in metas if meta.max_length is not None), None)
            return f"[{_describe(arguments[0])}]" + (f" ≤ {most}" if most is not None else "")
        return "(" + ", ".join(_describe(argument) for argument in arguments) + ")"
    assert inspect.isclass(hint)
    if issubclass(hint, enum.Enum):
        return hint.__name__
    if issubclass(hint, Struct):
        return hint.__name__
    if hint is bool:
        return "bool"
    meta = metas[0] if metas else Meta()
    if hint is int:
        if meta.ge in (0, None) and meta.le in (_UINT_MAX, None):
            return "uint"
        return f"uint {meta.ge}…{meta.le}"
    if meta.pattern is not None:
        return "handle"
    name = "bin" if hint is bytes else "str"
    if meta.min_length is not None and meta.min_length == meta.max_length:
        return f"{name}{meta.min_length}"
    if meta.max_length is None:
        return name
    return f"{name} {meta.min_length}…{meta.max_length}" if meta.min_length else f"{name} ≤ {meta.max_length}"
