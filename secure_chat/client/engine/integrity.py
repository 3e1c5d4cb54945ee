"""What the relay could hide, found end to end: each device's counter and hash chain, and the room at each epoch.

Every envelope carries its device's counter and the hash of the envelope before. A counter that jumps is a gap, a hash
that doesn't fit is a broken chain. Every epoch's authenticator is kept for a while and compared with what others say
in direct messages, so that a split room is noticed by ordinary chatting.
"""

import hashlib
import hmac
from enum import Enum

from msgspec.structs import replace

from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import (
    CHAIN_LENGTH,
    HASH_LENGTH,
    MAX_CODES,
    MAX_RECEIPTS,
    Envelope,
    Former,
    Progress,
    RoomState,
    hash_envelope,
)
from secure_chat.client.engine.content import MAX_MISSING as TOLD_MISSING
from secure_chat.client.engine.history import History
from secure_chat.client.engine.spaces import Chain, Claim, Phase, Room, RoomCode
from secure_chat.client.engine.state import State
from secure_chat.client.events import SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.identity.credential import Identity

__all__ = ["Integrity", "Verdict"]

KEPT_CODES = 100
"""Epochs whose code can be compared: a member that lags behind raises no false alarm."""
MAX_CHAINS = 8
"""Chains remembered for one device: an honest one has one, and begins another only when it comes back."""
MAX_MISSING = 64
"""Ranges remembered for one device: what is older stays a gap for good."""
MAX_NAMED = 4_096
"""Pairs of a person and an open room that are remembered: many people in a few rooms each."""
BEHIND = 60_000
"""Milliseconds that a change which somebody has already seen may take to come here, while the relay delivers."""
_EXPECTED = bytes(CHAIN_LENGTH)
"""Row of a device whose first chain is still to come."""
MAX_CLAIMS = 64
"""Statements about epochs that this device has not reached."""


class Verdict(Enum):
    """Where an envelope stands in its device's chain."""

    NEXT = "next"
    """The next one, or one after a gap."""
    LATE = "late"
    """Fills a gap."""
    REPEATED = "repeated"
    """Its counter has been taken in before."""


def _row(identity: Identity, chain: bytes) -> bytes:
    """A chain belongs to a device key: nobody can continue another's."""
    return identity.device_key[:CHAIN_LENGTH] + chain


class Integrity:
    """Chains and room codes."""

    def __init__(self, state: State, history: History) -> None:
        self._state = state
        self._history = history
        self._chains: dict[tuple[bytes, bytes], Chain] = {}
        self._named: set[tuple[bytes, bytes]] = set()
        """Account and open room: who has named a room in a direct message is told of it in turn."""

    # -- chains

    def expect(self, room: Room, identity: Identity) -> None:
        """Somebody's leaf is new, and this device saw it come: the next chain of its starts at one."""
        chain = Chain(spaces.FORMAT, 0, b"", account=identity.account_key, handle=identity.handle)
        self._save(room, _row(identity, _EXPECTED), chain)

    def take(self, room: Room, sender: Identity, envelope: Envelope, encoded: bytes, time: int) -> Verdict:
        """Places an envelope in its chain; gaps and breaks become lines."""
        row = _row(sender, envelope.chain)
        chain = self._chain(room, row)
        digest = hash_envelope(encoded)
        if chain is None:
            chain = self._begin(room, sender, envelope, time)
        elif envelope.counter <= chain.last:
            return self._late(room, sender, chain, envelope, digest)
        elif envelope.follows > chain.last:
            self._gap(room, sender, chain, envelope.follows, time)
        elif envelope.follows == chain.last and chain.hash and not hmac.compare_digest(envelope.previous, chain.hash):
            self._broken(room, sender)
            chain.before = envelope.counter - 1  # not what its author knows under these numbers: nothing to vouch for
        chain.last, chain.hash = envelope.counter, digest
        self._save(room, row, chain)
        return Verdict.NEXT

    def _begin(self, room: Room, sender: Identity, envelope: Envelope, time: int) -> Chain:
        """The first envelope seen of a chain: what its author wrote since this device came in is for it.

        An author adds a milestone with the first envelope of each epoch: what lies between two was written in the
        earlier one's epoch.
        """
        expected = _row(sender, _EXPECTED)
        here = (room.entered_generation, room.entered_epoch)
        since = [m.count for m in envelope.milestones if (m.generation, m.epoch) >= here]
        for former in envelope.formers:
            self._end(room, sender, former, time)
        if self._chain(room, expected) is not None:
            first = 0
            del self._chains[room.channel, expected]
            self._state.delete(spaces.CHAINS + room.channel.hex(), expected)
        else:
            first = min([*since[:1], envelope.counter - 1])
        chain = Chain(spaces.FORMAT, first, b"", account=sender.account_key, handle=sender.handle, before=first)
        chain.begun = self._state.now
        self._make_place(room, sender)
        if envelope.follows > first:
            self._gap(room, sender, chain, envelope.follows, time)
        return chain

    def _make_place(self, room: Room, sender: Identity) -> None:
        """Of too many chains of one device the one that began first is forgotten."""
        prefix = _row(sender, b"")
        rows = [row for row in self._state.rows(spaces.CHAINS + room.channel.hex()) if row.startswith(prefix)]
        known = [(chain.begun, row) for row in rows if (chain := self._chain(room, row)) is not None]
        if len(known) >= MAX_CHAINS:
            _, row = min(known)
            del self._chains[room.channel, row]
            self._state.delete(spaces.CHAINS + room.channel.hex(), row)

    def _end(self, room: Room, sender: Identity, former: Former, time: int) -> None:
        """An ended chain: what was written in it for this device, and has not come, is missing."""
        for row in self._state.rows(spaces.CHAINS + room.channel.hex()):
            chain = self._chain(room, row) if row[CHAIN_LENGTH:] == former.chain else None
            if chain is not None and chain.account == sender.account_key:
                if former.count > chain.last:
                    self._gap(room, sender, chain, former.count, time)
                    chain.last, chain.hash = former.count, b""
                    self._save(room, row, chain)
                return
        here = (room.entered_generation, room.entered_epoch)
        since = [m.count for m in former.milestones if (m.generation, m.epoch) >= here]
        first = min([*since[:1], former.count])
        if former.count > first:
            self._missing(room, sender, former.count - first, time)

    def _gap(self, room: Room, sender: Identity, chain: Chain, last: int, time: int) -> None:
        first = chain.last + 1
        chain.lines.append(self._missing(room, sender, last - first + 1, time))
        chain.missing.append((first, last))
        if len(chain.missing) > MAX_MISSING:
            del chain.missing[0], chain.lines[0]

    def _missing(self, room: Room, sender: Identity, count: int, time: int) -> str:
        """The line that says so; none of somebody who is blocked, who could make as many as there are numbers."""
        if self._is_blocked(sender):
            return ""
        return self._history.gap(room, sender.handle, sender.account_key, _gap_text(count, sender.handle), time)

    def _is_blocked(self, sender: Identity) -> bool:
        person = self._state.people.get(sender.account_key)
        return person is not None and person.blocked

    def _late(self, room: Room, sender: Identity, chain: Chain, envelope: Envelope, digest: bytes) -> Verdict:
        counter = envelope.counter
        for index, (first, last) in enumerate(chain.missing):
            if not first <= counter <= last:
                continue
            line = chain.lines[index]
            rest = [part for part in ((first, counter - 1), (counter + 1, last)) if part[0] <= part[1]]
            chain.missing[index : index + 1] = rest
            chain.lines[index : index + 1] = [line] * len(rest)
            left = sum(b - a + 1 for (a, b), name in zip(chain.missing, chain.lines, strict=True) if name == line)
            text = (
                _gap_text(left, sender.handle) if left else f"Messages of {sender.handle} came late and out of order."
            )
            self._history.rewrite(line, text)
            self._save(room, _row(sender, envelope.chain), chain)
            return Verdict.LATE
        if counter == chain.last and chain.hash and not hmac.compare_digest(digest, chain.hash):
            self._broken(room, sender)
        return Verdict.REPEATED

    def _broken(self, room: Room, sender: Identity) -> None:
        if self._is_blocked(sender):
            return
        what = "the order was altered, or the device forked"
        text = f"A message of {sender.handle} does not continue the one before: {what}."
        self._history.security(room, SecurityKind.CHAIN_BROKEN, text, handle=sender.handle)

    def progress(self, room: Room, *, read: bool) -> tuple[Progress, ...]:
        """How far others' chains have been taken in, where that is more than was told; as many as one receipt takes."""
        told: list[Progress] = []
        for row, value in self._state.rows(spaces.CHAINS + room.channel.hex()).items():
            name = row[CHAIN_LENGTH:]
            if name == _EXPECTED:
                continue
            if len(told) == MAX_RECEIPTS:
                break
            chain = self._chains.get((room.channel, row)) or spaces.decode(Chain, value)
            before = ((1, chain.before),) if chain.before else ()
            most = TOLD_MISSING - len(before)
            missing = (*before, *chain.missing[:most])
            delivered = chain.missing[most][0] - 1 if len(chain.missing) > most else chain.last
            seen = delivered if read else chain.read
            if delivered > chain.receipted or seen > chain.read:
                told.append(Progress(name, delivered, seen, missing))
                chain.receipted, chain.read = delivered, seen
                self._save(room, row, chain)
        return tuple(told)

    def forget(self, room: Room) -> None:
        """The room was left: its chains begin anew when it is entered again."""
        for key in [key for key in self._chains if key[0] == room.channel]:
            del self._chains[key]
        self._state.delete(spaces.CHAINS + room.channel.hex(), None)

    def _chain(self, room: Room, row: bytes) -> Chain | None:
        chain = self._chains.get((room.channel, row))
        if chain is None:
            value = self._state.row(spaces.CHAINS + room.channel.hex(), row)
            if value is not None:
                chain = self._chains[room.channel, row] = spaces.decode(Chain, value)
        return chain

    def _save(self, room: Room, row: bytes, chain: Chain) -> None:
        self._chains[room.channel, row] = chain
        self._state.put(spaces.CHAINS + room.channel.hex(), row, chain)

    # -- room codes

    def record_epoch(self, room: Room) -> None:
        """A new epoch: its authenticator is kept, and compared with what others have said about it."""
        group = self._state.group(room)
        key = _code_key(room.generation, group.epoch)
        space = spaces.CODES + room.channel.hex()
        context = hashlib.sha256(group.context).digest()
        self._state.put(space, key, RoomCode(spaces.FORMAT, group.epoch_authenticator, context))
        if group.epoch >= KEPT_CODES:
            self._state.delete(space, _code_key(room.generation, group.epoch - KEPT_CODES))
        digest = epoch_digest(group.epoch_authenticator)
        waiting: list[Claim] = []
        for claim in room.claims:
            if (claim.generation, claim.epoch) == (room.generation, group.epoch):
                self._compare(room, claim, digest)
            elif (claim.generation, claim.epoch) > (room.generation, group.epoch):
                waiting.append(claim)
        room.claims = waiting

    def trim_codes(self, room: Room) -> None:
        """This device has entered a room again: of what it has seen of it, the latest is kept."""
        space = spaces.CODES + room.channel.hex()
        for key in sorted(self._state.rows(space))[:-KEPT_CODES]:
            self._state.delete(space, key)

    def code(self, room: Room, epoch: int) -> bytes | None:
        """The authenticator of a current or recent epoch."""
        row = self._state.row(spaces.CODES + room.channel.hex(), _code_key(room.generation, epoch))
        return None if row is None else spaces.decode(RoomCode, row).authenticator

    def is_past(self, room: Room, generation: int, epoch: int, context: bytes) -> bool:
        """Whether this state of a room is one that this device has been in and gone on from.

        A state of the same epoch that this device does not know may be another branch of a room that was split.
        """
        rows = self._state.rows(spaces.CODES + room.channel.hex())
        key = _code_key(generation, epoch)
        if not rows or key >= max(rows):
            return False
        if key in rows:
            return spaces.decode(RoomCode, rows[key]).context == hashlib.sha256(context).digest()
        return key < min(rows) or _code_key(generation + 1, 0) <= max(rows)

    def shared_states(self, peer: bytes) -> tuple[RoomState, ...]:
        """What to tell a person in a direct message: the rooms that both are in, the busiest first."""
        rooms = [
            room
            for room in self._state.rooms.values()
            if room.phase == Phase.JOINED
            and room.kind != RoomKind.DIRECT
            and (peer in self._state.accounts(room) or (peer, room.channel) in self._named)
        ]
        rooms.sort(key=lambda room: (-room.last_time, room.channel))
        states: list[RoomState] = []
        for room in rooms[:MAX_CODES]:
            roster = self._state.roster(room)
            authenticator = None if roster is None else self.code(room, roster.epoch)
            if roster is not None and authenticator is not None:
                states.append(RoomState(room.channel, room.generation, roster.epoch, epoch_digest(authenticator)))
        return tuple(states)

    def hear(self, sender: Identity, states: tuple[RoomState, ...]) -> None:
        """What a person says of shared rooms: another digest for the same epoch means that the room is split."""
        for state in states:
            room = self._state.rooms.get(state.channel)
            if room is None or room.kind == RoomKind.DIRECT or room.phase not in (Phase.JOINED, Phase.OUT):
                continue
            roster = self._state.roster(room)
            if roster is None:
                continue
            if room.kind == RoomKind.OPEN and len(self._named) < MAX_NAMED:
                self._named.add((sender.account_key, room.channel))
            claim = Claim(sender.account_key, state.generation, state.epoch, state.digest)
            if (claim.generation, claim.epoch) > (room.generation, roster.epoch):
                if not any(replace(old, told=False) == claim for old in room.claims):
                    room.claims = [*room.claims, claim][-MAX_CLAIMS:]
                    self._state.save(room)
                self._state.poke(room)
            elif claim.generation == room.generation:
                authenticator = self.code(room, claim.epoch)
                if authenticator is not None:
                    self._compare(room, claim, epoch_digest(authenticator))

    def watch(self, room: Room) -> None:
        """While the room is delivered: whether what others have seen of it comes here, too."""
        if any(not claim.told for claim in room.claims) and not self._state.has_timer("behind", room.channel):
            self._state.set_timer("behind", room.channel, self._state.now + BEHIND)

    def behind(self, room: Room) -> bool:
        """The time is over: a relay that keeps a change back, or was set back, is told.

        True if a member of the room, as this device knows it, is further than this device.
        """
        state = self._state
        roster = state.roster(room)
        if room.phase != Phase.JOINED or roster is None or not state.is_live(room):
            return False
        ahead = [c for c in room.claims if not c.told and (c.generation, c.epoch) > (room.generation, roster.epoch)]
        for account in dict.fromkeys(claim.account for claim in ahead):
            person = state.people.get(account)
            handle = "somebody" if person is None else person.handle
            text = (
                f"{handle} has seen a change of this room that the relay has not delivered here: it may keep changes "
                f"back. Compare the room code with {handle}."
            )
            self._history.security(room, SecurityKind.ROOM_SPLIT, text, handle=handle)
        for claim in ahead:
            claim.told = True
        state.save(room)
        return bool({claim.account for claim in ahead} & set(state.accounts(room)))

    def _compare(self, room: Room, claim: Claim, digest: bytes) -> None:
        if hmac.compare_digest(claim.digest, digest):
            return
        person = self._state.people.get(claim.account)
        handle = "somebody" if person is None else person.handle
        text = (
            f"{handle} is not in the same room as you although it has the same name: the room was split, and what "
            f"you write here may not reach {handle}. Compare the room code, and let an admin restart the room."
        )
        self._history.security(room, SecurityKind.ROOM_SPLIT, text, handle=handle)


def epoch_digest(authenticator: bytes) -> bytes:
    """What direct messages say of an epoch."""
    return hashlib.sha256(b"secure-chat 1 epoch\x00" + authenticator).digest()[:HASH_LENGTH]


def _code_key(generation: int, epoch: int) -> bytes:
    return spaces.order_key(generation) + spaces.order_key(epoch)


def _gap_text(count: int, handle: str) -> str:
    what = "1 message" if count == 1 else f"{count} messages"
    return f"{what} of {handle} {'is' if count == 1 else 'are'} missing here."
