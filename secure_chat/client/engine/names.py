"""Rooms and people by the names that users type, and what a name or a cipher suite may be."""

from secure_chat.client.engine.device import SUITE_CLASSICAL, SUITE_HYBRID
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.policy import MAX_ROOM_NAME
from secure_chat.client.engine.spaces import Phase, Room, is_undecided
from secure_chat.client.engine.state import State
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode
from secure_chat.client.views import RoomKind
from secure_chat.identity.errors import HandleError
from secure_chat.identity.handle import require_handle

__all__ = ["Names", "handle_of", "require_suite", "room_name"]


class Names:
    """Finds what is meant; CommandFailed says what is wrong with a name."""

    def __init__(self, state: State, directory: Directory) -> None:
        self._state = state
        self._directory = directory

    def room(self, name: str) -> Room:
        """The room of an id, `#name` or handle; CommandFailed if there is none, or more than one.

        A room's name alone will do where nobody of that name is known.
        """
        room = self.find_room(name)
        if room is None and not name.startswith(("#", "@")) and self._directory.person_of(name) is None:
            room = self.find_room(f"#{name}")
        if room is None:
            hint = "join it first" if name.startswith("#") else "nobody of that name was written to yet"
            raise CommandFailed(FailureCode.NOT_FOUND, f"there is no conversation {name} here: {hint}")
        return room

    def find_room(self, name: str) -> Room | None:
        """The room of an id, `#name` or handle, if there is one."""
        rooms = self._state.rooms
        try:
            by_id = rooms.get(bytes.fromhex(name)) if len(name) == 32 else None
        except ValueError:
            by_id = None
        if by_id is not None:
            return by_id
        if name.startswith("#"):
            wanted = name[1:].casefold()
            found = [r for r in rooms.values() if r.kind != RoomKind.DIRECT and r.name.casefold() == wanted]
            # An invitation, which anybody may send, takes no name away from a room that the user is in.
            present = [r for r in found if r.phase not in (Phase.LEFT, Phase.NEW) and not is_undecided(r)]
            present = present or [r for r in found if r.phase != Phase.LEFT] or found
            if len(present) > 1:
                ids = ", ".join(r.channel.hex() for r in present)
                raise CommandFailed(FailureCode.INVALID, f"several rooms are called {name}; name one by its id: {ids}")
            return present[0] if present else None
        person = self._directory.person_of(name.removeprefix("@"))
        if person is None:
            return None
        direct = [r for r in rooms.values() if r.kind == RoomKind.DIRECT and r.peer == person.account]
        return min(direct, key=lambda r: r.phase == Phase.LEFT, default=None)

    def invitations(self) -> list[Room]:
        """Rooms of which the person has not said whether to be in them."""
        waiting = (Phase.INVITED, Phase.OUT)
        return [room for room in self._state.rooms.values() if room.phase in waiting and is_undecided(room)]

    def invitation(self, name: str) -> Room:
        """The room of an undecided invitation, by id or name; CommandFailed if there is none, or more than one."""
        name = name.casefold()
        found = [r for r in self.invitations() if name in (r.channel.hex(), f"#{r.name}".casefold(), r.name.casefold())]
        if len(found) > 1:
            ids = ", ".join(r.channel.hex() for r in found)
            raise CommandFailed(FailureCode.INVALID, f"several invitations are to {name}; name one by its id: {ids}")
        if not found:
            raise CommandFailed(FailureCode.NOT_FOUND, f"there is no invitation to {name} here")
        return found[0]

    def joined(self, name: str) -> Room:
        """A room that this device is in."""
        room = self.room(name)
        if room.phase not in (Phase.JOINED, Phase.OUT) or is_undecided(room):
            raise CommandFailed(FailureCode.NOT_ALLOWED, f"you are not in {self.title(room)}")
        return room

    def member(self, room: Room, name: str) -> bytes | None:
        """The member of a handle; by the account key where somebody passes themselves off as somebody else."""
        roster = self._state.roster(room)
        name = name.removeprefix("@")
        entries = [] if roster is None else roster.entries
        found = list(dict.fromkeys(e.account for e in entries if name in (e.handle, e.account.hex())))
        if len(found) > 1:
            keys = ", ".join(account.hex() for account in found)
            text = f"several people here go by the name {name}; name one by the account key: {keys}"
            raise CommandFailed(FailureCode.INVALID, text)
        return found[0] if found else None

    def banned(self, room: Room, handle: str) -> bytes:
        roles = self._state.roles(room)
        handle = handle.removeprefix("@")
        for account in roles.banned if roles is not None else ():
            person = self._state.people.get(account)
            if person is not None and person.handle == handle:
                return account
        raise CommandFailed(FailureCode.NOT_FOUND, f"{handle} is not banned here")

    def title(self, room: Room) -> str:
        return room.name if room.kind == RoomKind.DIRECT else f"#{room.name}"


def handle_of(text: str) -> str:
    try:
        return require_handle(text.removeprefix("@"))
    except HandleError as error:
        raise CommandFailed(FailureCode.INVALID, str(error)) from None


def room_name(text: str) -> str:
    name = text.removeprefix("#").strip()
    if not 1 <= len(name) <= MAX_ROOM_NAME or not name.isprintable():
        raise CommandFailed(FailureCode.INVALID, f"a room's name has 1 to {MAX_ROOM_NAME} printable characters")
    return name


def require_suite(suite: int) -> None:
    if suite not in (SUITE_CLASSICAL, SUITE_HYBRID):
        known = f"{SUITE_CLASSICAL} (classical) and {SUITE_HYBRID:#x} (post-quantum)"
        raise CommandFailed(FailureCode.INVALID, f"cipher suite {suite:#x} is not offered: there are {known}")
