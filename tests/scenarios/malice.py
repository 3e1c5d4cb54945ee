"""Lies and sabotage at random, for campaigns: what a malicious relay and one malicious member do between honest steps.

A relay's lie lasts for some messages and ends by itself; `end` makes everybody honest, as a new operator would.
"""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

from secure_chat.client.engine.content import Delete, Edit, Text
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.views import MessageKind, RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.mls.group.group import Group
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    Accounts,
    Append,
    Appended,
    ChannelClosed,
    ChannelInfo,
    ClientMessage,
    Entry,
    EntryKind,
    Error,
    KeyPackages,
    LoggedIn,
    MemberDevice,
    ServerMessage,
)
from tests.adversary.members import Rogue, poison
from tests.adversary.relay import Branch, LyingRelay, changed
from tests.scenarios.harness import Node

__all__ = ["Malice"]

RECORDED = 200
"""Entries kept for replaying."""
LONGEST = 20
"""Messages that one lie concerns at most."""


class Malice:
    """One run's malicious parties."""

    def __init__(self, world: LyingRelay, nodes: list[Node], rogue: Node | None, dice: random.Random) -> None:
        self.world = world
        self.nodes = nodes
        self.rogue = rogue
        self.random = dice
        self._recorded: list[tuple[Node, Entry]] = []
        self._packages: list[KeyPackages] = []
        self._infos: list[ChannelInfo] = []
        self._answers: list[Accounts] = []
        self._copy: Path | None = None
        self._kept: tuple[Room, Group] | None = None
        """A room of the rogue's, and its group as it once was."""
        world.outgoing.append(self._record)

    def step(self) -> str:
        """One malicious thing; what it was."""
        relay: list[Callable[[Node], None]] = [
            self.drop,
            self.hold,
            self.replay,
            self.swap,
            self.hide_commit,
            self.relabel,
            self.damage,
            self.strike_off,
            self.strip_welcomes,
            self.ghost,
            self.refuse_falsely,
            self.swallow,
            self.split,
            self.set_back,
            self.wrong_head,
            self.false_login,
            self.other_packages,
            self.other_answers,
            self.claim_own,
            self.other_welcome,
            self.answer_twice,
            self.truncate,
        ]
        member: list[Callable[[Node], None]] = [
            self.garbage,
            self.garbage_commit,
            self.ahead,
            self.poison,
            self.usurp,
            self.meddle,
            self.flood,
            self.repeat_request,
            self.talk_on,
            self.write_elsewhere,
        ]
        victim = self.random.choice(self.nodes)
        if self.rogue is not None and self.random.random() < 0.3:
            chosen = self.random.choice(member)
            try:
                chosen(self.rogue)
            except SecureChatError as error:
                return f"rogue {chosen.__name__}: {error}"
            return f"rogue {chosen.__name__}"
        chosen = self.random.choice(relay)
        chosen(victim)
        return f"relay {chosen.__name__} {victim.name}"

    def end(self) -> None:
        """From now on everybody is honest."""
        self.world.honest()

    # -- the relay

    def _record(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if isinstance(message, Entry):
            self._recorded = [*self._recorded[-RECORDED:], (node, message)]
        elif isinstance(message, KeyPackages):
            self._packages.append(message)
        elif isinstance(message, ChannelInfo):
            self._infos.append(message)
        elif isinstance(message, Accounts):
            self._answers.append(message)
        return (message,)

    def _lie(self, victim: Node, lie: Callable[[ServerMessage], Iterable[ServerMessage]], times: int = 0) -> None:
        """Applies to some messages of one client; `lie` returns the very message where it does not apply."""
        left = [times or self.random.randrange(1, LONGEST)]

        def tell(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is not victim or left[0] <= 0:
                return (message,)
            told = tuple(lie(message))
            if told != (message,):
                left[0] -= 1
            return told

        self.world.outgoing.append(tell)

    def drop(self, victim: Node) -> None:
        """Entries of the next kind to come are not delivered."""
        kinds = self.random.choice(((EntryKind.APPLICATION,), tuple(EntryKind)))
        self._lie(victim, lambda m: () if isinstance(m, Entry) and m.kind in kinds else (m,))

    def hold(self, victim: Node) -> None:
        """Entries are delivered later, under their old numbers or new ones."""
        held: list[Entry] = []

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, Entry) or message.kind is not EntryKind.APPLICATION:
                return (message,)
            held.append(message)
            return ()

        self._lie(victim, lie, self.random.randrange(1, 5))
        renumber = self.random.random() < 0.5

        def release() -> None:
            for entry in held:
                if victim.link is not None:
                    seq = self.world.last(victim, entry.channel) + 1 if renumber else entry.seq
                    self.world.say(victim, changed(entry, seq=seq))

        self.world.at(self.world.now + self.random.randrange(1_000, 30_000), release)

    def replay(self, victim: Node) -> None:
        """Something that was delivered before comes again."""
        seen = [entry for node, entry in self._recorded if node is victim]
        if seen and victim.link is not None:
            entry = self.random.choice(seen)
            if self.random.random() < 0.5:
                entry = changed(entry, seq=self.world.last(victim, entry.channel) + 1)
            self.world.say(victim, entry)

    def swap(self, victim: Node) -> None:
        """Two entries change places."""
        held: list[Entry] = []

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, Entry) or (held and held[0].channel != message.channel):
                return (message,)
            held.append(message)
            if len(held) < 2:
                return ()
            first, second = held
            held.clear()
            return (changed(second, seq=first.seq), changed(first, seq=second.seq))

        self._lie(victim, lie, 2)

    def hide_commit(self, victim: Node) -> None:
        """A commit is not delivered, and the next one pretends to follow directly."""
        hidden: list[Entry] = []
        pretend = self.random.random() < 0.5

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, Entry) or message.kind is not EntryKind.COMMIT:
                return (message,)
            if not hidden:
                hidden.append(message)
                return ()
            if pretend and message.head == hidden[0].seq:
                return (changed(message, head=hidden[0].head),)
            return (message,)

        self._lie(victim, lie, 2)

    def relabel(self, victim: Node) -> None:
        """Entries of one kind are delivered as another."""
        kind = self.random.choice(list(EntryKind))
        self._lie(victim, lambda m: (changed(m, kind=kind),) if isinstance(m, Entry) and m.kind != kind else (m,), 2)

    def damage(self, victim: Node) -> None:
        """A byte of the payload is another."""

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, Entry) or not message.payload:
                return (message,)
            place = self.random.randrange(len(message.payload))
            data = bytearray(message.payload)
            data[place] ^= 1 + self.random.randrange(255)
            return (changed(message, payload=bytes(data)),)

        self._lie(victim, lie, self.random.randrange(1, 4))

    def strike_off(self, victim: Node) -> None:
        """The relay ends delivery of a room."""
        room = self._room(victim)
        if room is not None and victim.link is not None:
            self.world.say(victim, ChannelClosed(room.channel, 0))

    def strip_welcomes(self, victim: Node) -> None:
        """No Welcome reaches the client for a while."""
        self._lie(victim, lambda m: () if isinstance(m, Entry) and m.kind is EntryKind.WELCOME else (m,), 3)

    def ghost(self, victim: Node) -> None:
        """An entry names a device that was never added."""
        stranger = MemberDevice(self.random.randbytes(16), self.random.randbytes(32))
        self._lie(
            victim, lambda m: (changed(m, added=(*m.added, stranger)),) if isinstance(m, Entry) and m.added else (m,), 1
        )

    def refuse_falsely(self, victim: Node) -> None:
        """What was stored is answered with a refusal."""
        code = self.random.choice((ErrorCode.CONFLICT, ErrorCode.STALE, ErrorCode.RATE_LIMITED, ErrorCode.RESERVED))
        self._lie(
            victim,
            lambda m: (Error(m.id, code, "no", retry_after=1_000, head=m.head),) if isinstance(m, Appended) else (m,),
            self.random.randrange(1, 4),
        )

    def swallow(self, victim: Node) -> None:
        """An append is confirmed and thrown away."""
        left = [self.random.randrange(1, 4)]

        def question(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is not victim or left[0] <= 0 or not isinstance(message, Append):
                return (message,)
            if message.kind not in (EntryKind.APPLICATION, EntryKind.REQUEST):
                return (message,)
            left[0] -= 1
            seq = self.world.last(node, message.channel) + 1
            if node.link is not None:
                self.world.say(node, Appended(message.id, seq, message.head, self.world.now))
            return ()

        self.world.incoming.append(question)

    def split(self, victim: Node) -> None:
        """Half of a room gets a log of its own, for half a minute."""
        room = self._room(victim, RoomKind.ROOM)
        if room is None:
            return
        inside = [n for n in self.nodes if self._is_in(n, room.channel) and n.link is not None]
        half = tuple(n for n in inside if n is victim or self.random.random() < 0.4)
        branch = Branch(self.world, room.channel, half, self.world.last(victim, room.channel), room.head)
        branch.install()
        self.world.at(self.world.now + self.random.randrange(5_000, 30_000), branch.remove)

    def set_back(self, victim: Node) -> None:
        """The relay's database becomes what it was when this was last chosen."""
        if not self.world.relay_up:
            return
        copy, self._copy = self._copy, self.world.copy_database()
        if copy is not None and self.random.random() < 0.5:
            self.world.set_back(copy)

    def wrong_head(self, victim: Node) -> None:
        """A commit names another head than it was made on."""
        self._lie(
            victim,
            lambda m: (changed(m, head=m.head + 1),) if isinstance(m, Entry) and m.kind is EntryKind.COMMIT else (m,),
            1,
        )

    def false_login(self, victim: Node) -> None:
        """The next login is told another counter, incarnation or state of its channels."""
        choice = self.random.randrange(4)

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, LoggedIn):
                return (message,)
            if choice == 0:
                return (changed(message, last_counter=message.last_counter + 100),)
            if choice == 1:
                return (changed(message, incarnation=b"another"),)
            if choice == 2:
                return (changed(message, channels=message.channels[1:]),)
            lower = tuple(changed(s, last=max(s.last - 5, 0), head=max(s.head - 3, 0)) for s in message.channels)
            return (changed(message, channels=lower),)

        self._lie(victim, lie, 1)
        victim.lose_connection()

    def other_packages(self, victim: Node) -> None:
        """Key packages that were claimed before, or another's, are handed out."""
        old = self.random.choice(self._packages) if self._packages else None

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, KeyPackages) or old is None or old.id == message.id:
                return (message,)
            return (changed(old, id=message.id),)

        self._lie(victim, lie, 1)

    def other_answers(self, victim: Node) -> None:
        """Questions about channels and accounts get the answers to other questions."""
        info = self.random.choice(self._infos) if self._infos else None
        about = self.random.choice(self._answers) if self._answers else None

        def lie(message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, ChannelInfo) and info is not None:
                return (changed(info, id=message.id),)
            if isinstance(message, Accounts) and about is not None:
                return (changed(about, id=message.id),)
            return (message,)

        self._lie(victim, lie, 2)

    def claim_own(self, victim: Node) -> None:
        """Others' entries are labelled as the client's own."""
        profile = victim.engine._state.profile
        self._lie(
            victim,
            lambda m: (
                (changed(m, sender=profile.device_id, store=profile.store),)
                if isinstance(m, Entry) and m.sender != profile.device_id
                else (m,)
            ),
            self.random.randrange(1, 4),
        )

    def other_welcome(self, victim: Node) -> None:
        """A Welcome that was delivered before, to this device or another, comes into the inbox."""
        seen = [entry for _, entry in self._recorded if entry.kind is EntryKind.WELCOME]
        inbox = victim.engine._channels.inbox
        if seen and victim.link is not None and inbox:
            entry = self.random.choice(seen)
            self.world.say(victim, changed(entry, channel=inbox, seq=self.world.last(victim, inbox) + 1))

    def answer_twice(self, victim: Node) -> None:
        """Answers come twice."""
        self._lie(victim, lambda m: (m, m) if isinstance(m, Appended | ChannelInfo | KeyPackages) else (m,))

    def truncate(self, victim: Node) -> None:
        """The rest of the entries that a login waits for is missing, and the relay says that this was all."""
        room = self._room(victim)
        if room is None:
            return
        channel = room.channel
        self._lie(victim, lambda m: () if isinstance(m, Entry) and m.channel == channel else (m,))
        victim.lose_connection()

    # -- the member

    def flood(self, rogue: Node) -> None:
        """One change after another."""
        room = self._room(rogue)
        if room is not None:
            for _ in range(10):
                group = Rogue(rogue).copy(room)
                self._append(rogue, EntryKind.COMMIT, group.commit().commit, room)

    def repeat_request(self, rogue: Node) -> None:
        """Somebody's request to be added is posted again."""
        seen = [entry for _, entry in self._recorded if entry.kind is EntryKind.REQUEST]
        room = self._room(rogue)
        if seen and room is not None:
            self._append(rogue, EntryKind.REQUEST, self.random.choice(seen).payload, room)

    def talk_on(self, rogue: Node) -> None:
        """Writes with a group that it has kept: of an epoch that is over, or of a room that it is no longer in."""
        room = self._room(rogue)
        if self._kept is not None and self.random.random() < 0.5:
            kept_room, group = self._kept
            if not group.proposals:
                payload = Rogue(rogue).seal(group, Text("still here"), counter=1)
                self._append(rogue, EntryKind.APPLICATION, payload, kept_room)
        elif room is not None:
            self._kept = (room, Rogue(rogue).copy(room))

    def write_elsewhere(self, rogue: Node) -> None:
        """A message that was encrypted for one room is put into another."""
        rooms = [self._room(rogue), self._room(rogue)]
        if rooms[0] is not None and rooms[1] is not None and not rogue.engine._state.group(rooms[0]).proposals:
            tool = Rogue(rogue)
            payload = tool.seal(tool.copy(rooms[0]), Text("x"), counter=1)
            self._append(rogue, EntryKind.APPLICATION, payload, rooms[1])

    def garbage(self, rogue: Node) -> None:
        """A message that nobody can read."""
        self._append(rogue, EntryKind.APPLICATION, self.random.randbytes(200))

    def garbage_commit(self, rogue: Node) -> None:
        """A commit that is none."""
        self._append(rogue, EntryKind.COMMIT, self.random.randbytes(200))

    def ahead(self, rogue: Node) -> None:
        """A message of an epoch that does not exist."""
        room = self._room(rogue)
        if room is not None:
            group = Rogue(rogue).copy(room)
            group.commit()
            group.merge_pending()
            self._append(rogue, EntryKind.APPLICATION, Rogue(rogue).seal(group, Text("x"), counter=1), room)

    def poison(self, rogue: Node) -> None:
        """A commit that some, or all, can't follow."""
        room = self._room(rogue)
        if room is not None:
            group = Rogue(rogue).copy(room)
            others = [m.leaf_index for m in group.members() if m.leaf_index != group.own_leaf_index]
            victims = [leaf for leaf in others if self.random.random() < 0.5]
            self._append(rogue, EntryKind.COMMIT, poison(group, victims), room)

    def usurp(self, rogue: Node) -> None:
        """A commit that removes somebody, whether the rogue may or not; the list stays as it is."""
        room = self._room(rogue)
        if room is not None:
            group = Rogue(rogue).copy(room)
            others = [m.leaf_index for m in group.members() if m.leaf_index != group.own_leaf_index]
            roles = rogue.engine._state.roles(room)
            if others and roles is not None and rogue.engine._state.own_account not in roles.admins:
                made = group.commit(remove=[self.random.choice(others)])
                self._append(rogue, EntryKind.COMMIT, made.commit, room)

    def meddle(self, rogue: Node) -> None:
        """Edits, deletes, or takes the id of, what another has written."""
        room = self._room(rogue)
        if room is None:
            return
        lines = [
            line
            for line in rogue.history(room.channel.hex())
            if line.kind is MessageKind.TEXT and line.account != rogue.engine._state.own_account.hex()
        ]
        if not lines or rogue.engine._state.group(room).proposals:
            return
        target = bytes.fromhex(self.random.choice(lines).id)
        body = self.random.choice((Edit(target, "forged"), Delete(target), Text("forged")))
        tool = Rogue(rogue)
        message_id = target if isinstance(body, Text) else None
        payload = tool.seal(tool.copy(room), body, counter=self.random.randrange(1, 50), message_id=message_id)
        self._append(rogue, EntryKind.APPLICATION, payload, room)

    def _append(self, rogue: Node, kind: EntryKind, payload: bytes, room: Room | None = None) -> None:
        room = room or self._room(rogue)
        if room is not None and rogue.link is not None:
            Rogue(rogue).put(room, kind, payload)

    def _room(self, node: Node, *kinds: RoomKind) -> Room | None:
        rooms = [
            room
            for room in node.engine._state.rooms.values()
            if room.phase == Phase.JOINED and room.group and (not kinds or room.kind in kinds)
        ]
        return self.random.choice(rooms) if rooms else None

    @staticmethod
    def _is_in(node: Node, channel: bytes) -> bool:
        room = node.engine._state.rooms.get(channel)
        return room is not None and room.phase == Phase.JOINED
