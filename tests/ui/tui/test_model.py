"""What the terminal UI knows between events."""

from msgspec.structs import replace

from secure_chat.client.views import RoomKind, Trust
from secure_chat.ui.tui.model import TYPING_MS, Visits
from tests.ui.tui.lines import ANNA, BEN, line
from tests.ui.tui.views import invitation, member, model, person, room


def test_the_list_stays_in_order_whoever_writes() -> None:
    """Rooms by name, then people; left rooms only while they are open or unread; invitations elsewhere."""
    made = model()
    assert [each.name for each in made.listed()] == ["lobby", "plans", "ben"]
    made.rooms[room(4, "old").id] = room(4, "old", joined=False)
    made.rooms[room(5, "news").id] = room(5, "news", joined=False, unread=1)
    made.invitations[room(5, "news").id] = invitation(5, "news")
    assert [each.name for each in made.listed()] == ["lobby", "plans", "ben"]
    made.current = room(4, "old").id
    assert "old" in [each.name for each in made.listed()]


def test_next_unread_prefers_mentions_then_people_then_the_latest() -> None:
    """Muted rooms come last; the open room never."""
    made = model()
    assert made.next_unread() is None
    lobby, plans, ben = made.listed()
    made.rooms[plans.id] = replace(plans, unread=1, last_time=9)
    made.rooms[ben.id] = replace(ben, unread=1, last_time=1)
    assert made.next_unread() == made.rooms[ben.id]
    made.rooms[plans.id] = replace(plans, unread=1, mentions=1)
    assert made.next_unread() == made.rooms[plans.id]
    made.rooms[plans.id] = replace(plans, unread=1, mentions=1, muted=True)
    assert made.next_unread() == made.rooms[ben.id]
    made.current = ben.id
    made.rooms[lobby.id] = replace(lobby, unread=3)
    assert made.next_unread() == made.rooms[lobby.id]
    assert made.unread_elsewhere() == (3, 0)


def test_rooms_are_found_by_what_people_call_them() -> None:
    """#name means a room, a name a person first; ids work, too."""
    made = model()
    made.rooms[room(9, "ben").id] = room(9, "ben")
    found = made.find("#ben")
    assert found is not None
    assert found.kind is RoomKind.ROOM
    found = made.find("@ben")
    assert found is not None
    assert found.kind is RoomKind.DIRECT
    assert made.find(found.id) == found
    assert made.find("nobody") is None


def test_trust_belongs_to_the_account_not_the_name() -> None:
    """The same name with another key is a changed key; one's own account is oneself."""
    made = model()
    made.know(person("ben", Trust.VERIFIED, online=True))
    assert made.trust(BEN, "ben") is Trust.VERIFIED
    assert made.trust("cc" * 32, "ben") is Trust.CHANGED
    assert made.trust(ANNA, "anna") is Trust.SELF
    assert made.trust("dd" * 32, "unknown") is Trust.FIRST_USE
    assert made.online("ben")
    assert not made.online("unknown")


def test_names_come_with_the_last_speaker_first() -> None:
    """Then the others in the room; oneself never."""
    made = model()
    made.members[made.current] = tuple(member(name) for name in ("anna", "ben", "carl", "dora"))
    made.heard(line(n, room=made.current, sender=s, account=BEN) for n, s in ((1, "dora"), (2, "ben"), (3, "dora")))
    assert made.names() == ["dora", "ben", "carl"]
    assert made.speakers() == {"dora", "ben"}


def test_typing_is_forgotten_after_six_seconds_or_a_message() -> None:
    """Whoever sent has stopped typing."""
    made = model()
    made.typed(made.current, "ben", 1_000)
    made.typed(made.current, "carl", 2_000)
    assert made.typing(1_000 + TYPING_MS - 1) == ["ben", "carl"]
    assert made.typing(1_000 + TYPING_MS) == ["carl"]
    made.heard([line(1, room=made.current, sender="carl", account=BEN)])
    assert made.typing(2_000) == ["ben"]


def test_visits_go_back_and_forward() -> None:
    """A new visit forgets what lay ahead."""
    visits = Visits()
    assert visits.step(-1) is None
    for each in ("a", "b", "c"):
        visits.enter(each)
    assert visits.step(-1) == "b"
    visits.enter("b")  # what was gone back to is no new visit
    assert visits.step(1) == "c"
    assert visits.step(1) is None
    assert visits.step(-1) == "b"
    visits.enter("d")
    assert visits.step(1) is None
    assert visits.step(-1) == "b"


def test_of_two_keys_under_one_name_the_trusted_one_counts() -> None:
    """While neither is trusted the name is undecided; whatever order they are told in, the pinned one stands for it."""
    old, new = "0b" * 32, "0f" * 32
    for first, second in ((old, new), (new, old)):
        made = model()
        made.set_people([person("ben", Trust.CHANGED, account=first), person("ben", Trust.CHANGED, account=second)])
        assert {handle: sorted(keys) for handle, keys in made.undecided().items()} == {"ben": [old, new]}
        assert made.trust(old, "ben") is made.trust(new, "ben") is Trust.CHANGED
        made.know(person("ben", Trust.FIRST_USE, account=new))
        made.know(person("ben", Trust.CHANGED, account=old))
        assert made.undecided() == {}
        assert made.people["ben"].account == new
        assert made.trust(new, "ben") is Trust.FIRST_USE
        assert made.trust(old, "ben") is Trust.CHANGED
        made.seen_online(new, online=True)
        made.seen_online("ee" * 32, online=True)
        assert made.online("ben")
