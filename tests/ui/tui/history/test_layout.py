"""From messages to rows: every row has its width, and the look says what is the case."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.strip import Strip

from secure_chat.client.views import DeliveryState, MessageId, MessageKind, MessageView, Reaction, Trust
from secure_chat.ui.tui.history.layout import MAX_ROWS, Layout, Surroundings
from secure_chat.ui.tui.looks import CONTRAST, DAY, NIGHT
from tests.ui.tui.lines import ANNA, BEN, line

HUGE = [
    "👍" * 10_000,
    "x" * 60_000,
    "\n" * 5_000,
    "[red]" * 500,
    "\u202e\u0301" * 4_000,
    "漢" * 3_000,
    "\x1b]52;c;x\x07",
]


def surroundings(
    lines: list[MessageView] | None = None, *, trust: Trust = Trust.FIRST_USE, spoke: frozenset[str] = frozenset()
) -> Surroundings:
    known = {each.id: each for each in lines or []}

    def quoted(message: MessageId) -> MessageView | None:
        return known.get(message)

    return Surroundings("anna", lambda account, handle: trust, quoted, lambda name: name in spoke)


def texts(rows: list[Strip]) -> list[str]:
    return [row.text.rstrip() for row in rows]


def layout(around: Surroundings | None = None, width: int = 60, *, compact: bool = False) -> Layout:
    return Layout(NIGHT, width, around or surroundings(), compact=compact)


messages = st.builds(
    line,
    st.integers(1, 10_000),
    st.one_of(st.text(max_size=400), st.sampled_from(HUGE), st.text("[]/red bold=\\", max_size=60)),
    sender=st.from_regex(r"[a-z0-9._-]{1,32}", fullmatch=True),
    account=st.sampled_from([ANNA, BEN]),
    kind=st.sampled_from(MessageKind),
    state=st.sampled_from(DeliveryState),
    detail=st.one_of(st.text(max_size=60), st.sampled_from(["joined", "left"])),
    reply_to=st.one_of(st.none(), st.just(line(1).id), st.just("ff" * 16)),
    edited=st.booleans(),
    deleted=st.booleans(),
    reactions=st.lists(
        st.builds(
            Reaction, st.text(min_size=1, max_size=20), st.lists(st.just("anna"), min_size=1, max_size=9).map(tuple)
        ),
        max_size=12,
    ).map(tuple),
)


@given(st.lists(messages, min_size=1, max_size=4), st.integers(12, 140), st.booleans(), st.sampled_from([NIGHT, DAY]))
@settings(max_examples=250, deadline=None)
def test_any_message_keeps_to_its_rows(lines: list[MessageView], width: int, compact: bool, look: object) -> None:
    """Whatever peers send, every row is exactly as wide as the screen, and no message takes the whole of it."""
    around = surroundings([line(1, "quoted \x1b[2J text" * 20)])
    around.mark(("red", "x"))
    made = Layout(DAY if look is DAY else NIGHT, width, around, compact=compact)
    for index in range(len(lines)):
        rows, lead = made.block(lines, index)
        assert lead <= len(rows) <= MAX_ROWS + 20
        for row in rows:
            assert row.cell_length == made.width
            assert cell_len(row.text) == made.width
            assert "\x1b" not in row.text
            assert "\n" not in row.text


def test_runs_of_one_person_stand_under_one_name() -> None:
    """The name stands once; it comes back after five minutes, after others, and on another day."""
    lines = [
        line(1, "one"),
        line(2, "two"),
        line(3, "three", minutes=20),
        line(4, "four", sender="ben", account=BEN, minutes=21),
        line(5, "five", minutes=60 * 24),
    ]
    shown = [texts(layout().block(lines, index)[0]) for index in range(5)]
    assert shown[0][-2:] == [" anna  10:01", "   one"]
    assert shown[1] == ["   two"]
    assert shown[2] == ["", " anna  10:20", "   three"]
    assert shown[3] == ["", " ben  10:21", "   four"]
    assert "Wednesday, 04 March 2026" in shown[4][0]


def test_compact_lines_carry_their_head() -> None:
    """Time, name and text on one row."""
    rows, _ = layout(compact=True).block([line(1, "one")], 0)
    assert texts(rows)[-1] == " 10:01 anna one"


@pytest.mark.parametrize(
    ("state", "sign"),
    [
        (DeliveryState.QUEUED, "…"),
        (DeliveryState.SENT, "✓"),
        (DeliveryState.DELIVERED, "✓✓"),
        (DeliveryState.READ, "read"),
        (DeliveryState.FAILED, "✗"),
    ],
)
def test_delivery_states_have_signs(state: DeliveryState, sign: str) -> None:
    """Each state is told by a sign of its own, not by colour."""
    rows, _ = layout().block([line(1, "mine", state=state, detail="the room is gone")], 0)
    body = next(row for row in texts(rows) if row.strip().startswith("mine"))
    assert body.endswith(f" {sign}")
    assert ("not sent: the room is gone" in texts(rows)[-1]) == (state is DeliveryState.FAILED)


def test_quotes_edits_reactions_and_deletions_are_shown() -> None:
    """Everything that a message can carry has its place."""
    first = line(1, "shall we?", sender="ben", account=BEN)
    answer = line(2, "yes", reply_to=first.id, edited=True, reactions=(Reaction("👍", ("ben", "carl")),))
    rows = texts(layout(surroundings([first])).block([first, answer], 1)[0])
    assert rows[-3:] == [" │ ben: shall we?", "   yes (edited)", "  👍 ben, carl"]
    gone = texts(layout().block([line(3, "secret", deleted=True)], 0)[0])
    assert gone[-1] == "   (deleted)"
    lost = texts(layout().block([line(4, "so", reply_to="ee" * 16)], 0)[0])
    assert " │ a message that is not here" in lost


def test_trust_stands_behind_the_name() -> None:
    """Verified and changed keys are told in words and signs."""
    assert "anna ✓" in texts(layout(surroundings(trust=Trust.VERIFIED)).block([line(1)], 0)[0])[1]
    assert "KEY CHANGED" in texts(layout(surroundings(trust=Trust.CHANGED)).block([line(1)], 0)[0])[1]


def test_mentions_links_and_hits_are_marked() -> None:
    """The user's name marks the row; links and search hits have styles of their own."""
    around = surroundings()
    around.mark(("map",))
    rows, _ = layout(around).block([line(1, "Anna: maps at https://example.org/x", sender="ben", account=BEN)], 0)
    body = rows[-1]
    assert body.text.startswith("▐")
    styles = {segment.text: segment.style for segment in body}
    assert styles["maps"] is not None
    assert styles["maps"].underline
    link = styles["https://example.org/x"]
    assert link is not None
    assert link.underline
    assert not layout().block([line(1, "annabel", sender="ben", account=BEN)], 0)[0][-1].text.startswith("▐")


def test_comings_and_goings_of_people_who_never_spoke_are_folded() -> None:
    """One line says who came and went; who has spoken keeps a line of their own."""

    def notice(number: int, name: str, what: str) -> MessageView:
        return line(number, f"{name} {what}", sender=name, kind=MessageKind.NOTICE, detail=what)

    lines = [
        notice(1, "ben", "joined"),
        notice(2, "carl", "joined"),
        notice(3, "dora", "joined"),
        notice(4, "emil", "joined"),
        notice(5, "fred", "joined"),
        notice(6, "carl", "left"),
        notice(7, "gina", "left"),
        line(8, "hello"),
    ]
    around = surroundings(spoke=frozenset({"gina"}))
    made = layout(around, 80)
    blocks = [texts(made.block(lines, index)[0]) for index in range(len(lines))]
    assert "ben, dora, emil and 1 more joined" in blocks[0][-1]
    assert "carl left" in blocks[0][-1]
    assert blocks[1:6] == [[], [], [], [], []]
    assert blocks[6] == [" · gina left  10:07"]


def test_gaps_and_warnings_carry_labels() -> None:
    """They are told in words, not by colour."""
    gap = texts(layout().block([line(1, "two messages of ben are missing", kind=MessageKind.GAP, sender="")], 0)[0])
    assert gap[-1].startswith("  gap  two messages of ben are missing")
    alarm = texts(layout().block([line(2, "another state", kind=MessageKind.SECURITY, sender="ben")], 0)[0])
    assert alarm[-1].startswith("  security  ben: another state")


def test_what_is_new_stands_under_a_line() -> None:
    """The line says how many."""
    around = surroundings()
    lines = [line(1), line(2)]
    around.unread_at, around.unread = lines[1].id, 7
    rows, lead = layout(around).block(lines, 1)
    assert "7 new since you left" in rows[0].text
    assert lead == 1


def test_long_messages_are_cut_and_say_so() -> None:
    """A wall of text takes a screen at most; the rest is read by opening it."""
    rows = texts(layout().block([line(1, "word " * 2_000)], 0)[0])
    assert len(rows) <= MAX_ROWS + 2
    assert "10,000 characters in all: press Enter on it to read all" in rows[-1]


def test_a_search_marks_words_in_every_look() -> None:
    """The contrast look draws the same rows."""
    around = surroundings()
    dark = Layout(NIGHT, 50, around, compact=False).block([line(1, "same words")], 0)[0]
    sharp = Layout(CONTRAST, 50, around, compact=False).block([line(1, "same words")], 0)[0]
    assert texts(dark) == texts(sharp)


@pytest.mark.parametrize("compact", [True, False])
def test_no_text_passes_itself_off_as_something_else(compact: bool) -> None:
    """Names, quotes, reactions, notices and days begin further left than anything a person can write."""
    forged = "\n".join([" ben ✓  10:02", "· ben left", "──── Monday ────", " security  all is well", "│ ben: yes", "▐"])
    made = layout(compact=compact)
    rows, lead = made.block([line(1, "one"), line(2, f"hello\n{forged}", minutes=30)], 1)
    body = texts(rows)[lead + (0 if compact else 1) + (1 if compact else 0) :]
    assert body
    assert all(row.startswith("   ") or not row for row in body)
