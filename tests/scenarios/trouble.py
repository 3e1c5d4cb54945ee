"""What may go wrong while people do something, under the world's seed; and people who try again until it is so."""

from collections.abc import Callable
from typing import TypeAlias

from secure_chat.client.commands import AcceptInvitation, Command, CreateRoom, InvitePeople, JoinRoom, Send
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.events import Failed
from secure_chat.client.views import DeliveryState, MessageView
from tests.scenarios.harness import Network, Node, World

__all__ = ["TROUBLES", "End", "Person", "Story", "Trouble"]

TROUBLES: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "reconnects": ("line",),
    "crashes": ("process",),
    "restarts of the relay": ("relay",),
    "everything": ("line", "process", "relay", "network", "cable"),
}
"""By name, the kinds of accidents that happen."""
SHORTEST, FIRST, LONGEST = 20, 200, 1_500
"""Milliseconds before an accident: at least, at most before the first one, at most."""
PAUSES = {"relay": (500, 12_000)}
"""Longer ones after some kinds: a relay that never stays up would only show that nothing works then."""
STEPS = 8
"""Within so many further steps a process dies."""
PATIENCE = 40_000
"""Milliseconds after which a person asks again for what has not happened."""
REFUSED = 2_000
"""The same for what was refused, such as without a connection."""
LIMIT = 1_200_000
"""Milliseconds after which it counts as broken."""


class Trouble:
    """Accidents at random moments until `end`."""

    def __init__(self, world: World, kinds: tuple[str, ...]) -> None:
        self._world = world
        self._kinds = kinds
        self._on = bool(kinds)
        self.accidents = 0
        """So far."""
        if self._on:
            self._plan((SHORTEST, FIRST))

    def end(self) -> None:
        """Nothing goes wrong any more, and everybody comes back."""
        self._on = False
        self._world.network = Network()
        for node in self._world.nodes.values():
            node.fuse = node.crash_after = None
            if node.offline:
                node.go_online()

    def _plan(self, pause: tuple[int, int]) -> None:
        self._world.at(self._world.now + self._world.random.randrange(*pause), self._strike)

    def _strike(self) -> None:
        if not self._on:
            return
        world, random = self._world, self._world.random
        node = random.choice(list(world.nodes.values()))
        self.accidents += 1
        kind = random.choice(self._kinds)
        match kind:
            case "line":
                node.lose_connection()
            case "process":
                node.fuse = (random.randrange(STEPS), random.choice((-1, 0, 1, 2)))
            case "relay":
                world.crash_relay(random.randrange(100, 1_500))
            case "network":
                low = random.randrange(1, 200)
                world.network = Network((low, low + random.randrange(1, 1_000)), random.choice((0.0, 0.01)))
            case "cable" if node.offline:
                node.go_online()
            case "cable":
                node.go_offline()
        self._plan(PAUSES.get(kind, (SHORTEST, LONGEST)))


class Person:
    """Somebody at a client who looks at the screen, and tries again while it doesn't show what they want."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = node.name

    def want(self, command: Command, done: Callable[[], bool]) -> None:
        """Asks until it is so."""
        world, node = self.node.world, self.node
        deadline = world.now + LIMIT
        while not done():
            assert world.now < deadline, f"{self.name} could not: {command}"
            ref, asked = node.ask(command), world.now
            while not done() and world.now < asked + (REFUSED if isinstance(node.answer(ref), Failed) else PATIENCE):
                world.run_for(50)
            world.run_for(200)

    def wait(self, done: Callable[[], bool], what: str, limit: int = LIMIT) -> None:
        """Until the screen shows it, without doing anything."""
        world = self.node.world
        deadline = world.now + limit
        while not done():
            assert world.now < deadline, f"{self.name} does not see: {what}"
            world.run_for(100)

    # -- what people do again and again

    def say(self, room: str, text: str) -> None:
        """Writes something."""
        self.want(Send(room, text), lambda: self.has(text))

    def enter(self, name: str) -> str:
        """Goes into an open room; its id."""
        self.want(JoinRoom(name), lambda: self.inside(name))
        return self.id(name)

    def create(self, name: str, *others: "Person") -> str:
        """Makes a closed room, and these people are in it; its id."""
        self.want(CreateRoom(name, suite=3), lambda: self.inside(name))
        room = self.id(name)
        self.invite(room, name, *others)
        for other in others:
            other.accept(room, name)
        return room

    def invite(self, room: str, name: str, *others: "Person") -> None:
        """Has these people invited."""
        names = {other.name for other in others}
        if names:
            self.want(InvitePeople(room, tuple(sorted(names))), lambda: names <= self.people(name))

    def accept(self, room: str, name: str) -> None:
        """Takes the invitation that will come."""
        self.wait(lambda: self.invited(name) or self.inside(name), "the invitation")
        self.want(AcceptInvitation(room), lambda: self.inside(name))

    def hears(self, text: str) -> None:
        """Waits for somebody's words."""
        self.wait(lambda: self.has(text), text)

    # -- what the screen shows

    def room(self, name: str) -> Room | None:
        """The room of this name that this person is in."""
        rooms = self.node.engine._state.rooms.values()
        return next((room for room in rooms if room.name == name and room.phase == Phase.JOINED), None)

    def inside(self, name: str) -> bool:
        """In a room of this name."""
        return self.room(name) is not None

    def invited(self, name: str) -> bool:
        """Invited to a room of this name, undecided."""
        rooms = self.node.engine._state.rooms.values()
        return any(room.name == name and room.phase == Phase.INVITED for room in rooms)

    def id(self, name: str) -> str:
        """The id of a room that this person is in."""
        room = self.room(name)
        assert room is not None, f"{self.name} is not in {name}"
        return room.channel.hex()

    def people(self, name: str) -> set[str]:
        """Who is in a room, invited ones too."""
        state = self.node.engine._state
        room = self.room(name)
        return set() if room is None else {state.people[account].handle for account in state.accounts(room)}

    def admins(self, name: str) -> set[str]:
        """Who governs a room."""
        state = self.node.engine._state
        room = self.room(name)
        roles = None if room is None else state.roles(room)
        return set() if roles is None else {state.people[account].handle for account in roles.admins}

    def line(self, text: str) -> MessageView | None:
        """The message of this text."""
        lines = [line for line in self.node.history() if line.kind == "text" and line.text == text]
        return lines[0] if lines else None

    def has(self, text: str) -> bool:
        """Whether it stands in the history."""
        return self.line(text) is not None

    def notices(self, name: str) -> list[str]:
        """The notices of a room, oldest first."""
        return [line.text for line in self.node.history(self.id(name)) if line.kind == "notice"]

    def is_out(self, text: str) -> bool:
        """Whether one's own message is at the relay."""
        line = self.line(text)
        return line is not None and line.state is not DeliveryState.QUEUED


End: TypeAlias = Callable[[], None]
"""What is looked at when everything has calmed down."""
Story: TypeAlias = Callable[[Person, Person, Person], End]
"""Plays in the middle of trouble."""
