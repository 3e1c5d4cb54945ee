"""What header, status line and notices say."""

from msgspec.structs import replace

from secure_chat.client.events import Progress
from secure_chat.client.views import ConnectionState, RoomCodeView, Trust
from secure_chat.ui.tui.chat.notices import Context, Notices, progress_pieces
from secure_chat.ui.tui.lists import Piece
from secure_chat.ui.tui.members.items import member_items
from secure_chat.ui.tui.model import Connection
from secure_chat.ui.tui.rooms.items import room_items
from secure_chat.ui.tui.status.words import (
    blocked_pieces,
    connection_pieces,
    encryption,
    header_pieces,
    status_pieces,
    typing_words,
)
from tests.ui.tui.views import invitation, member, model, person, room


def words(pieces: list[Piece] | tuple[Piece, ...]) -> str:
    return "".join(text for text, _ in pieces)


def test_encryption_is_named() -> None:
    """Post-quantum, classical, another suite, or not yet."""
    assert encryption(room(1, "x")) == "encrypted, post-quantum"
    assert encryption(room(1, "x", post_quantum=False)) == "encrypted, classical"
    assert "0x0007" in encryption(room(1, "x", post_quantum=False, suite=7))
    assert encryption(room(1, "x", post_quantum=False, suite=0)) == "keys are being set up"


def test_the_header_tells_people_and_verification() -> None:
    """Of rooms how many are verified; of people whether; at the right what waits elsewhere."""
    made = model()
    left, right = header_pieces(made)
    assert words(left) == "#lobby  3 people · 0 of 2 verified · encrypted, post-quantum"
    assert not right
    made.rooms[made.current] = replace(made.rooms[made.current], verified=2, muted=True)
    assert "✓ 2 of 2 verified" in words(header_pieces(made)[0])
    assert "muted" in words(header_pieces(made)[0])
    ben = made.listed()[2]
    made.rooms[made.listed()[1].id] = replace(made.listed()[1], unread=4, mentions=1)
    made.current = ben.id
    left, right = header_pieces(made)
    assert "● online · not verified: F8" in words(left)
    assert words(right) == " 4 unread, 1 for you "
    made.people["ben"] = person("ben", Trust.CHANGED)
    assert "KEY CHANGED" in words(header_pieces(made)[0])
    made.current = ""
    assert words(header_pieces(made)[0]) == "secure-chat"


def test_why_nothing_can_be_sent_stays_in_sight() -> None:
    """A changed key with the key that compares, other reasons as they are; what was just told comes first."""
    made = model()
    assert blocked_pieces(made) == []
    ben = made.listed()[2]
    reason = "ben's key has changed: compare safety numbers"
    made.rooms[ben.id] = replace(ben, writable=False, blocked=reason)
    made.people["ben"] = person("ben", Trust.CHANGED)
    made.current = ben.id
    assert words(blocked_pieces(made)) == f" !  {reason} (F8 compares)"
    made.rooms[ben.id] = replace(ben, joined=False, blocked="you are not in this room", writable=False)
    assert words(blocked_pieces(made)) == "you are not in this room"
    notices = Notices()
    notices.blocked = blocked_pieces(made)
    assert words(notices.pieces(0, "ben is typing…", "")[0]) == "you are not in this room"
    notices.say("copied", 0)
    assert words(notices.pieces(0, "", "")[0]) == "copied"


def test_the_connection_counts_down() -> None:
    """Seconds are rounded up; without a next attempt it says what to type."""
    offline = Connection(ConnectionState.OFFLINE, "nobody listens", 10_000)
    assert words(connection_pieces(offline, 2_500)) == "○ offline, again in 8 s: nobody listens"
    assert words(connection_pieces(offline, 20_000)).startswith("○ offline, again in 0 s")
    given_up = Connection(ConnectionState.OFFLINE, "wrong certificate", 0)
    assert words(connection_pieces(given_up, 0)) == "○ offline: wrong certificate · /reconnect tries again"
    states = {words(connection_pieces(Connection(state), 0)) for state in ConnectionState}
    assert len(states) == len(ConnectionState)


def test_the_status_line_has_the_rooms_code() -> None:
    """Only of the room on screen."""
    made = model()
    made.queued = 2
    code = RoomCodeView(made.current, 7, "12345 67890 12345 67890")
    left, right = status_pieces(made, code, 0)
    assert "2 waiting to be sent" in words(left)
    assert words(right) == "room code 12345 67890 12345 67890 (epoch 7)"
    assert status_pieces(made, replace(code, room="ff" * 16), 0)[1] == []


def test_typing_is_told_of_a_few_by_name() -> None:
    """Of many only how many."""
    assert typing_words([]) == ""
    assert typing_words(["a"]) == "a is typing…"
    assert typing_words(["a", "b"]) == "a and b are typing…"
    assert typing_words(["a", "b", "c"]) == "3 people are typing…"


def test_the_list_of_rooms_tells_everything_by_signs() -> None:
    """Numbers of Alt-1 …, presence, verification, mentions, unread, muted, changed keys, invitations."""
    made = model()
    lobby, plans, ben = made.listed()
    made.rooms[plans.id] = replace(plans, unread=1_500, mentions=2, verified=2)
    made.rooms[lobby.id] = replace(lobby, muted=True, unread=3)
    made.rooms[ben.id] = replace(ben, unread=1, mentions=1)
    made.invitations["ee" * 16] = invitation(1, "party\x1b[31m")
    rows = [f"{words(item.left)} | {words(item.right)}" for item in room_items(made)]
    assert rows == [
        "Invitations | ",
        "+ #party[31m | new",
        "Rooms | ",
        "1 #lobby | 3 muted",
        "2 #plans ✓ |  @2  1k",
        "People | ",
        "3 ● ben |  1 ",
    ]
    made.people["ben"] = person("ben", Trust.CHANGED)
    made.rooms[plans.id] = replace(plans, joined=False, unread=1, last_time=1)
    rows = [words(item.left) for item in room_items(made)]
    assert "3 ○ ben !" in rows
    assert "2 #plans (left)" in rows


def test_members_are_counted_and_marked() -> None:
    """Online first; trust and rights in words; the invited apart."""
    items = member_items(
        [
            member("zoe", Trust.VERIFIED, online=True, admin=True),
            member("anna", Trust.SELF, online=True),
            member("carl", Trust.CHANGED),
            member("dora", invited=True),
        ]
    )
    rows = [f"{words(item.left)} | {words(item.right)}" for item in items]
    assert rows == [
        "4 people | 1 of 3 verified",
        "● anna | you",
        "● zoe ✓ |  admin",
        "○ carl |  KEY CHANGED ",
        "Invited | ",
        "○ dora | ",
    ]


def test_notices_give_way_in_order() -> None:
    """What was just told, then what is being answered, then long work, then typing."""
    notices = Notices()
    assert notices.pieces(0, "", "") == ([], [])
    assert words(notices.pieces(0, "ben is typing…", "↓ End")[0]) == "ben is typing…"
    assert words(notices.pieces(0, "", "↓ End")[1]) == "↓ End"
    notices.progress = Progress("joining #big", 64, 256)
    assert words(notices.pieces(0, "x", "")[0]) == "joining #big █████░░░░░░░░░░░░░░░ 64 of 256"
    notices.context = Context("aa" * 16, False, "ben: hi")
    assert words(notices.pieces(0, "x", "")[0]) == "Answering ben: hi  Esc: no"
    notices.say("that failed\x07", 100, "bad", label="!")
    assert words(notices.pieces(100, "x", "")[0]) == " !  that failed"
    assert words(notices.pieces(20_000, "x", "")[0]).startswith("Answering")
    notices.say("again", 20_000)
    notices.drop()
    assert words(notices.pieces(20_000, "x", "")[0]).startswith("Answering")


def test_progress_without_an_end_counts() -> None:
    """Export and backup don't know their total before."""
    assert words(progress_pieces(Progress("exporting", 12_000, 0))) == "exporting: 12,000"
    assert words(progress_pieces(Progress("x", 9, 3))).endswith("9 of 3")
