"""The tree shows the architecture: import arrows go one way (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "secure_chat"

# What each part may import from the others (itself and secure_chat.errors always).
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "mls": set(),
    "identity": set(),
    "wire": set(),
    "transport": {"wire", "certificates"},
    "certificates": set(),
    "write_ahead": set(),
    "server": {"identity", "wire", "transport", "certificates", "write_ahead"},
    "client": {"mls", "identity", "wire", "transport", "write_ahead"},
    "ui": {"client", "identity", "wire"},
    "__init__": {"client"},
    "__main__": {"server", "client", "ui", "certificates"},
}
# Inside mls, left may import anything further right.
MLS_ORDER = ["group", "messages", "schedule", "tree", "credential", "crypto", "registry", "codec", "errors"]
# The pure parts never touch the world.
PURE = ["mls", "identity", "wire", "server/core", "client/engine"]
IMPURE_MODULES = {
    "socket", "ssl", "threading", "selectors", "subprocess", "sqlite3", "apsw", "time", "random", "asyncio",
    "pathlib", "shutil", "tempfile",
}  # fmt: skip
MLS_FOREIGN = {"cryptography"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> list[str]:
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def imports(path: Path) -> set[str]:
    """Absolute dotted names imported anywhere in a module; relative imports are not used in this package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_import_arrows_go_one_way(path: Path) -> None:
    """A module imports only what its part may know."""
    own = name_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "secure_chat":
            continue
        if len(parts) == 1 or not ((PACKAGE / parts[1]).exists() or (PACKAGE / f"{parts[1]}.py").exists()):
            continue  # a name of the package itself, such as __version__
        target = parts[1]
        assert target in {own[0], "errors"} | ARROWS[own[0]], f"{'.'.join(own)} must not import {name}"
        if own[0] == "mls" and target == "mls" and len(own) > 1 and len(parts) > 2 and parts[2] in MLS_ORDER:
            assert MLS_ORDER.index(own[1]) <= MLS_ORDER.index(parts[2]), f"{'.'.join(own)} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_pure_parts_touch_nothing(path: Path) -> None:
    """No socket, thread, clock, file or database in the pure parts."""
    relative = path.relative_to(PACKAGE).as_posix()
    if not any(relative == f"{part}.py" or relative.startswith(f"{part}/") for part in PURE):
        return
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & IMPURE_MODULES, f"{relative} imports {sorted(roots & IMPURE_MODULES)}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "mls").rglob("*.py")), ids=lambda p: p.name)
def test_mls_stands_alone(path: Path) -> None:
    """The MLS core needs only the standard library and cryptography."""
    import sys

    for name in imports(path):
        root = name.split(".")[0]
        assert root in sys.stdlib_module_names | MLS_FOREIGN | {"secure_chat"}, f"{path} imports {name}"


def test_only_transport_uses_ssl_and_socket() -> None:
    """TLS and sockets have one owner."""
    for path in modules():
        own = name_of(path)
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"ssl", "socket"} or own[0] == "transport", f"{'.'.join(own)} imports ssl or socket"
