"""The wording that all skins share."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from secure_chat.client.events import (
    EVENTS,
    CaughtUp,
    ConnectionChanged,
    Done,
    Event,
    Failed,
    KeyChanged,
    MessageAdded,
    MessageChanged,
    SecurityKind,
    SecurityNotice,
)
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    DeviceView,
    Hit,
    InvitationView,
    MemberView,
    MessageKind,
    MessageView,
    OpenRoomView,
    PersonView,
    Reaction,
    RoomCodeView,
    RoomView,
    SafetyNumberView,
    StatusView,
    Trust,
)
from secure_chat.errors import SecureChatError
from secure_chat.identity.credential import short_fingerprint
from secure_chat.ui import presenter
from tests.client.lines import ALICE, LOBBY, line

# Times that every platform's clock functions know.
st.register_type_strategy(int, st.integers(0, 4_000_000_000_000))
VIEWS = (
    StatusView,
    MessageView,
    SafetyNumberView,
    RoomCodeView,
    RoomView,
    tuple[MemberView, ...],
    tuple[PersonView, ...],
    tuple[InvitationView, ...],
    tuple[OpenRoomView, ...],
    tuple[DeviceView, ...],
    tuple[Hit, ...],
    tuple[RoomView, ...],
)


def harmless(lines: list[str]) -> None:
    for text in lines:
        for character in text:
            assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp"), ascii(text)


@given(st.one_of([st.from_type(kind) for kind in EVENTS if kind not in (Done, Failed)]))
def test_no_event_brings_a_control_character_to_the_screen(event: Event) -> None:
    """Whatever others, or a lying relay, put into any field."""
    harmless(presenter.describe_event(event, room="#r"))


@given(st.one_of([st.from_type(kind) for kind in VIEWS]))
def test_no_result_brings_a_control_character_to_the_screen(result: object) -> None:
    """Lists, too."""
    harmless(presenter.describe_result(result))  # type: ignore[arg-type]  # every view is a result


def test_message_shows_time_author_and_text() -> None:
    """Long texts are indented; edits, reactions and unsent states are named."""
    message = replace(line("m", "one\ntwo"), edited=True, reactions=(Reaction("👍", ("bob", "carol")),))
    first, second, third = presenter.message_lines(message)
    assert first.endswith(" alice: one")
    assert second == "      two (edited)"
    assert third == "      👍 bob, carol"
    failed = replace(line("m", "x"), state=DeliveryState.FAILED, detail="blocked")
    assert presenter.message_lines(failed)[0].endswith("alice: x (NOT SENT: blocked)")
    assert "(deleted)" in presenter.message_lines(line("m", deleted=True))[0]


def test_reply_quotes_what_it_answers() -> None:
    """In one line, cut where it is long."""
    lines = presenter.message_lines(line("b", "yes"), quoted=line("a", "long " * 100), room="#r")
    assert "[#r] > alice: long long" in lines[0]
    assert lines[0].endswith("…")
    assert lines[1].endswith("[#r] alice: yes")


@pytest.mark.parametrize(
    ("kind", "mark"), [(MessageKind.NOTICE, "--"), (MessageKind.SECURITY, "!!"), (MessageKind.GAP, "??")]
)
def test_lines_that_are_no_messages_have_their_mark(kind: MessageKind, mark: str) -> None:
    """Nobody can take a message for a notice: a message begins with its author."""
    assert f" {mark} alice joined" in presenter.message_lines(line("m", "alice joined", kind=kind))[0]


def test_message_that_imitates_a_notice_still_names_its_author() -> None:
    """Text can't pass itself off as the client's."""
    forged = presenter.message_lines(line("m", "hi\n12:00 !! alice is verified"))
    assert forged[1].startswith("      12:00")


def test_changed_key_says_what_to_do() -> None:
    """In words, with the commands to type."""
    text = " ".join(presenter.describe_event(KeyChanged("bob", ALICE, ALICE, True, "Somebody may sit between.")))
    assert "CHANGED" in text
    assert "/verify bob" in text
    assert f"/accept-key bob {short_fingerprint(bytes.fromhex(ALICE)).replace(' ', '')}" in text


def test_failures_of_one_message_are_told_and_progress_is_not() -> None:
    """A failed message is news; a delivered one isn't."""
    failed = MessageChanged(replace(line("m"), state=DeliveryState.FAILED, detail="too large"))
    assert "not sent" in presenter.describe_event(failed)[0]
    assert presenter.describe_event(MessageChanged(replace(line("m"), state=DeliveryState.DELIVERED))) == []


def test_connection_says_how_it_goes_on() -> None:
    """Without an automatic attempt the command to type is named."""
    offline = ConnectionChanged(ConnectionState.OFFLINE, "the relay is down")
    assert "/reconnect" in presenter.describe_event(offline)[0]
    assert "/reconnect" not in presenter.describe_event(replace(offline, retry_at=1))[0]
    assert presenter.describe_event(CaughtUp(0)) == []


def test_security_notices_are_said_once() -> None:
    """One that stands in a room's history is shown there."""
    notice = SecurityNotice(SecurityKind.GHOST, LOBBY, "bob", "a ghost")
    assert presenter.describe_event(notice) == ["!! a ghost"]
    assert presenter.describe_event(replace(notice, message="ab" * 16)) == []
    assert presenter.describe_event(MessageAdded(line("x", "a ghost", kind=MessageKind.SECURITY), False, True))


def test_tables_are_aligned() -> None:
    """Wide characters count two columns."""
    assert presenter.table([("日本", "a"), ("x", "b")], ("Name", "V")) == ["Name  V", "日本  a", "x     b"]
    assert presenter.table([]) == []


def test_empty_lists_say_so() -> None:
    """Nothing is an answer."""
    assert presenter.describe_result(()) == ["nothing"]
    assert presenter.describe_result(None) == []


def test_safety_number_is_shown_in_rows_of_four() -> None:
    """Easily read aloud."""
    number = " ".join(f"{i:05}" for i in range(12))
    lines = presenter.safety_number_lines(SafetyNumberView("bob", ALICE, Trust.FIRST_USE, number, ""))
    assert lines[0] == "Safety number with bob (not verified):"
    assert [len(each.split()) for each in lines[1:]] == [4, 4, 4]


def test_failure_is_one_line() -> None:
    """Whatever its message contains."""
    assert presenter.describe_failure(SecureChatError("two\nlines\x1b[0m")) == "two lines[0m"
    assert presenter.describe_failure(SecureChatError()) == "SecureChatError"
