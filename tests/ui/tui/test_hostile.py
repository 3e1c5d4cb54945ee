"""Nothing that a peer sends can break the screen: hostile text in messages, reactions, names of rooms, invitations."""

import random
import unicodedata

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len, get_character_cell_size

from secure_chat.client.events import Invited, MessageAdded, RoomChanged
from secure_chat.client.views import InvitationView, MessageKind, Reaction, Trust
from secure_chat.ui.text import clean
from secure_chat.ui.tui import cells
from tests.people import join
from tests.relay_process import RelayProcess
from tests.ui.tui.driving import Chat, open_chat, run
from tests.ui.tui.history.test_layout import layout
from tests.ui.tui.lines import BEN, line

ROOM_NAME = 64
"""Letters of the longest name of a room."""
ROUNDS = 120
INGREDIENTS = (
    "\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\x00", "\x07", "\r", "\b", "\t", "\n", "\x7f", "\u2028",  # controls
    "[red]", "[/]", "[@click=app.quit]x[/]", "\\[bold]", "{x}", "%s",  # markup
    "\u202e", "\u202d", "\u2066", "\u2069", "\u200f", "\u061c",  # bidirectional overrides
    "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\u180e", "\u3164", "\uffa0",  # nothing to see
    "z" + "\u0301" * 40, "\u0e33", "\u1100\u1161\u11a8", "ﷺ", "\ufdfd", "𒐫",  # piled up, joined, wide
    "👨\u200d👩\u200d👧", "🏳️\u200d🌈", "🇩🇪", "👍🏽", "❤️", "☎️", "1️⃣", "漢字", "ｗｉｄｅ", "שלום", "مرحبا",
    "x" * 300, "👍" * 200, " " * 100, "a b ", "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
)  # fmt: skip

hostile = st.lists(st.one_of(st.sampled_from(INGREDIENTS), st.text(max_size=8)), max_size=40).map("".join)


def pyte_knows(character: str) -> bool:
    """Behind a mark of no width that combines with nothing pyte draws nothing more."""
    return get_character_cell_size(character) > 0 or unicodedata.combining(character) > 0


def mixture(chance: random.Random, most: int = 40) -> str:
    """A text of such ingredients."""
    return "".join(chance.choices(INGREDIENTS, k=chance.randint(1, most)))


@given(hostile, st.integers(12, 120), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_terminal_ends_each_row_where_it_should(text: str, width: int, compact: bool) -> None:
    """Fed to a terminal, every row of a message moves the cursor by its width, down by nothing, and rings no bell."""
    made = layout(width=width, compact=compact)
    message = line(2, text or "x", sender="ben", account=BEN, reactions=(Reaction(text[:20] or "👍", ("ben",)),))
    for strip in made.block([line(1, text or "x"), message], 1)[0]:
        screen = pyte.Screen(made.width + 1, 3)
        pyte.Stream(screen).feed("".join(filter(pyte_knows, strip.text)))
        assert (screen.cursor.x, screen.cursor.y) == (made.width, 0), ascii(strip.text)
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in strip.text)


@given(hostile, st.integers(0, 80))
@settings(max_examples=200, deadline=None)
def test_names_are_cut_to_their_cells(text: str, width: int) -> None:
    """A line of the lists is never wider than its place, and no override turns what stands behind it."""
    shown = cells.cut(cells.line(text), width)
    assert cell_len(shown) <= width
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
    assert clean(shown) == shown


def test_a_hostile_crowd_leaves_the_screen_as_it_is(relay: RelayProcess) -> None:
    """Messages, reactions, names of rooms, invitations: every pane keeps its place, and keys still work."""

    async def scenario() -> None:
        with join(relay, "calm") as calm:
            async with open_chat(calm, "calm", size=(118, 30)) as chat:
                await chat.shows("connected", "room code")
                await stand(chat)
                await chat.type("still here", "enter")
                await chat.until(lambda: calm.history("#lobby")[-1].text == "still here", "that keys work")

    run(scenario)


async def stand(chat: Chat) -> None:
    """Hostile rounds, each looked at."""
    chance = random.Random(20)
    lobby = chat.screen.model.rooms[chat.screen.model.current]
    for number in range(ROUNDS):
        name = mixture(chance, 8)[:ROOM_NAME] or "x"
        message = line(
            1_000 + number,
            mixture(chance),
            room=lobby.id,
            sender="ben",
            account=BEN,
            kind=chance.choice(list(MessageKind)),
            detail=mixture(chance, 3),
            reactions=(Reaction(mixture(chance, 2)[:30], ("ben",)),),
        )
        elsewhere = replace(lobby, id=f"{number % 5:032x}", name=name, unread=chance.randint(0, 10**6))
        invitation = InvitationView(f"{number % 3 + 90:032x}", name, "ben", Trust.FIRST_USE, ("ben",), 0)
        chat.screen.take(
            [
                MessageAdded(message, True, True),
                RoomChanged(replace(lobby, name=name)),
                RoomChanged(elsewhere),
                MessageAdded(replace(message, id=f"{number:032x}", room=elsewhere.id), True, True),
                Invited(invitation),
            ]
        )
        await chat.pilot.pause()
        check(chat)


def check(chat: Chat) -> None:
    """Rows as wide as the screen, and everything of one's own in its place."""
    width, height = chat.app.size
    strips = list(chat.app.screen._compositor.render_strips())
    assert len(strips) == height
    for strip in strips:
        assert strip.cell_length == width
        assert cell_len(strip.text) == width
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in strip.text), ascii(strip.text)
    assert strips[-1].text.startswith(" F1 Help")
    assert strips[-2].text.startswith(" calm  ● connected")
    assert strips[-3].crop(26, 34).text == " Message"
    assert strips[0].crop(0, 13).text == " Invitations "
