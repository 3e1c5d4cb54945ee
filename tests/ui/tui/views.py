"""Views for tests of what draws them."""

from secure_chat.client.views import (
    InvitationView,
    MemberView,
    PersonView,
    RoomKind,
    RoomView,
    Trust,
)
from secure_chat.ui.tui.model import Model
from tests.ui.tui.lines import ANNA, BEN

__all__ = ["invitation", "member", "model", "person", "room"]


def room(number: int, name: str, kind: RoomKind = RoomKind.ROOM, **more: object) -> RoomView:
    """A room that one is in."""
    values: dict[str, object] = {
        "suite": 3,
        "epoch": 1,
        "members": 3,
        "verified": 0,
        "unread": 0,
        "mentions": 0,
        "muted": False,
        "admin": False,
        "members_may_invite": False,
        "joined": True,
        "writable": True,
        "blocked": "",
        "post_quantum": True,
        "last_time": 0,
    }
    return RoomView(id=f"{number:032x}", kind=kind, name=name, **{**values, **more})  # type: ignore[arg-type]


def person(name: str, trust: Trust = Trust.FIRST_USE, *, account: str = BEN, online: bool = False) -> PersonView:
    """Somebody known."""
    return PersonView(name, account, trust, False, online, 1, ())


def member(name: str, trust: Trust = Trust.FIRST_USE, **more: bool) -> MemberView:
    """Somebody in a room."""
    values = {"admin": False, "online": False, "invited": False, **more}
    return MemberView(name, BEN, trust=trust, devices=1, **values)


def invitation(number: int, name: str) -> InvitationView:
    """An invitation by ben."""
    return InvitationView(f"{number:032x}", name, "ben", Trust.FIRST_USE, ("ben", "carl"), 0)


def model() -> Model:
    """Anna in two rooms and a conversation with ben."""
    made = Model("anna", ANNA)
    made.set_rooms(
        [room(1, "lobby", RoomKind.OPEN), room(2, "plans", last_time=5), room(3, "ben", RoomKind.DIRECT, members=2)]
    )
    made.set_people([person("ben", online=True), person("anna", Trust.SELF, account=ANNA)])
    made.current = made.listed()[0].id
    return made
