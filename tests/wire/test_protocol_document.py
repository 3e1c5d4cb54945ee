"""docs/wire-protocol.md says what the code does."""

import re
from pathlib import Path
from typing import get_args

import pytest

from secure_chat.server.core.settings import Settings
from secure_chat.wire import limits, messages, types
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message, decode_server_message, encode_frame
from secure_chat.wire.messages import ClientMessage, ServerMessage
from secure_chat.wire.types import ChannelKind, EntryKind
from tests.wire.describe import describe_fields, tag_of
from tests.wire.examples import example_frames

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "wire-protocol.md").read_text()


def section(title: str) -> str:
    start = DOCUMENT.index(f"\n## {title}\n")
    return DOCUMENT[start : DOCUMENT.find("\n## ", start + 1)]


def rows(title: str) -> dict[str, list[str]]:
    """A section's table: its first column in backticks, and the others."""
    found = {}
    for line in section(title).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            found[cells[0].strip("`| ")] = [cell.rstrip(" |") for cell in cells[1:]]
    return found


@pytest.mark.parametrize(("title", "union"), [("Requests", ClientMessage), ("Answers and deliveries", ServerMessage)])
def test_every_message_is_described(title: str, union: object) -> None:
    """Tags and fields, with types, bounds and defaults, in order, and nothing else."""
    expected = {str(tag_of(structure)): describe_fields(structure) or "none" for structure in get_args(union)}
    assert {tag: cells[0] for tag, cells in rows(title).items()} == expected


def test_every_request_has_its_answer_described() -> None:
    """Answers are messages of the other table."""
    answers = rows("Answers and deliveries")
    for tag, (_, answer) in rows("Requests").items():
        named = re.match(r"`(\w+)`", answer)
        assert answer == "none" or (named and named[1] in answers), tag


def test_every_structure_is_described() -> None:
    """What stands inside messages."""
    inside = [
        getattr(types, name)
        for name in types.__all__
        if isinstance(getattr(types, name), type)
        and issubclass(getattr(types, name), types.Message)
        and tag_of(getattr(types, name)) is None
        and name != "Message"
    ]
    expected = {structure.__name__: describe_fields(structure) for structure in inside}
    assert {name: cells[0] for name, cells in rows("Structures").items()} == expected


def test_every_error_code_is_described() -> None:
    """With what a client does about it."""
    assert set(rows("Errors")) == {code.value for code in ErrorCode}


def test_every_limit_is_described() -> None:
    """With its value; lengths of ids are in the types."""
    described = {name: int(cells[0]) for name, cells in rows("Limits").items()}
    lengths = {name for name in limits.__all__ if name.endswith("_LENGTH")} | {"PROTOCOL_VERSION"}
    assert described == {name: getattr(limits, name) for name in limits.__all__ if name not in lengths}
    settings = Settings()
    assert settings.devices_per_account == described["MAX_DEVICES_PER_ACCOUNT"]
    assert (settings.requests_per_second, settings.requests_burst) == (100, 1_000)
    assert "requests of a connection (100 a second, 1,000 at once*)" in section("Limits")


def test_kinds_are_described() -> None:
    """Of channels and entries."""
    text = " ".join(section("Types").split())
    assert ", ".join(f"`{kind.value}`" for kind in ChannelKind) in text
    assert ", ".join(f"{kind.value} {kind.name.lower()}" for kind in EntryKind) in text


def test_the_example_frames_are_right() -> None:
    """Each is the frame of its message, and decodes to it."""
    lines = dict(line.split(" = ") for line in section("Examples").split("```")[1].splitlines()[1:])
    examples = example_frames()
    assert lines == {name: encode_frame(message).hex() for name, message in examples.items()}
    for message in examples.values():
        body = encode_frame(message)[HEADER_LENGTH:]
        decoded = (
            decode_client_message(body) if isinstance(message, get_args(ClientMessage)) else decode_server_message(body)
        )
        assert decoded == message


def test_every_link_within_the_page_leads_somewhere() -> None:
    """Headings are where links expect them."""
    anchors = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", DOCUMENT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT)) <= anchors


def test_all_messages_have_their_own_tag() -> None:
    """Within what one side reads."""
    for union in (messages.ClientMessage, messages.ServerMessage):
        tags = [tag_of(structure) for structure in get_args(union)]
        assert len(tags) == len(set(tags))
