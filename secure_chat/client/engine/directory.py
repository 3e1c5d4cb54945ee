"""People: which account key a handle stands for, how far it is trusted, which devices it has.

The first key seen for a handle is pinned. Another device of the same account is a quiet note; another *account key*
under the handle is told loudly and blocks sending to that person (in a shared room only if they were verified) until
the user has decided. A relay that vouches for two keys under one handle has lied: both bindings together prove it.
"""

from collections.abc import Iterable

from secure_chat.client.engine import spaces
from secure_chat.client.engine.history import History
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Device, Person, Phase, Pin, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, KeyChanged, NewDevice, SecurityKind
from secure_chat.client.views import RoomKind, Trust
from secure_chat.identity import binding as bindings
from secure_chat.identity import certificate as certificates
from secure_chat.identity.credential import Identity, account_fingerprint, short_fingerprint
from secure_chat.identity.errors import IdentityError, MismatchError
from secure_chat.identity.fingerprint import SafetyNumber, safety_number
from secure_chat.wire.limits import CLAIM_BATCH
from secure_chat.wire.messages import AccountInfo, Accounts, Lookup

__all__ = ["Directory"]

EXPLANATION = (
    "The relay now names another key for {handle}. Either {handle} made a new account because the old key was lost, "
    "or somebody, perhaps the relay, puts themselves in {handle}'s place. Ask {handle} by another way and compare "
    "safety numbers; until then nothing is sent."
)


class Directory:
    """Pins, trust and devices."""

    def __init__(self, state: State, session: Session, history: History) -> None:
        self._state = state
        self._session = session
        self._history = history

    # -- who is who

    def person_of(self, handle: str) -> Person | None:
        """Whom a handle stands for: the pinned account."""
        pin = self._state.pins.get(handle)
        return None if pin is None else self._state.people.get(pin.account)

    def facing(self, handle: str) -> Person | None:
        """Whom the user has to decide about: the new key if one has come, else the pinned one."""
        pin = self._state.pins.get(handle)
        if pin is None:
            return None
        return self._state.people.get(pin.candidate or pin.account)

    def trust(self, account: bytes) -> Trust:
        """How far the key is trusted."""
        person = self._state.people.get(account)
        if person is None:
            return Trust.FIRST_USE
        pin = self._state.pins.get(person.handle)
        if pin is not None and (pin.candidate or pin.account != account):
            return Trust.CHANGED
        return Trust(person.trust)

    def blocks(self, room: Room) -> str:
        """Why nothing may be sent in this room because of somebody's key; empty if it may."""
        if room.kind == RoomKind.DIRECT:
            peer = self._state.people.get(room.peer)
            if peer is None or self.trust(room.peer) is not Trust.CHANGED:
                return ""
            if self._state.pins[peer.handle].candidate:
                return f"{peer.handle}'s key has changed: {self._choice(peer.handle, self._state.pins[peer.handle])}"
            return f"this conversation is with an earlier key of {peer.handle}: start a new one"
        for account in self._state.accounts(room):
            person = self._state.people.get(account)
            pin = None if person is None else self._state.pins.get(person.handle)
            if person is None or pin is None or not pin.candidate:
                continue
            pinned = self._state.people.get(pin.account)
            if pinned is not None and pinned.trust == Trust.VERIFIED:
                choice = self._choice(person.handle, pin)
                return f"the key of {person.handle}, whom you had verified, has changed: {choice}"
        return ""

    @staticmethod
    def _choice(handle: str, pin: Pin) -> str:
        """What the user can do about a changed key."""
        if not pin.candidate:
            return "start a new conversation"
        key = _plain(short_fingerprint(pin.candidate))
        return f"compare safety numbers (verify {handle}), or go on unverified (accept-key {handle} {key})"

    def is_blocked(self, account: bytes) -> bool:
        """Whether the user wants to see nothing from this person."""
        person = self._state.people.get(account)
        return person is not None and person.blocked

    # -- what is seen

    def observe(self, identity: Identity, room: Room | None = None) -> Person:
        """Somebody's verified credential: in a room's tree, a key package or the own certificate."""
        person = self._meet(identity.handle, identity.account_key, identity.binding.encode())
        self._see_device(person, identity.device_id, identity.serial, identity.device_key, room)
        return person

    def learn(self, info: AccountInfo) -> Person:
        """What the relay says of an account; IdentityError if its proofs don't hold."""
        binding = bindings.verify(info.binding, self._state.authority.directory_key)
        if (binding.handle, binding.account_key) != (info.handle, info.account):
            raise MismatchError("its proof is for another name or key")
        person = self._meet(info.handle, info.account, info.binding)
        for data in info.devices:
            certificate = certificates.verify(data)
            if (certificate.handle, certificate.account_key) == (info.handle, info.account):
                self._see_device(person, certificate.device_id, certificate.serial, certificate.device_key, None)
        if info.revocation:
            self.withdraw(info.revocation)
        self.set_online(info.account, info.online)
        return person

    def withdraw(self, data: bytes) -> None:
        """An account's signed word that it withdraws older devices, whoever brought it; IdentityError if it is none.

        Members take the leaves of those devices out of every room.
        """
        revocation = certificates.verify_revocation(data)
        person = self._state.people.get(revocation.account_key)
        if person is None or revocation.minimum_serial <= person.minimum_serial:
            return
        person.minimum_serial, person.revocation = revocation.minimum_serial, data
        self._state.save_person(person)
        for shared in self._shared(person.account):
            self._state.poke(shared)

    def _meet(self, handle: str, account: bytes, binding: bytes) -> Person:
        state = self._state
        person = state.people.get(account)
        if person is None:
            trust = Trust.FIRST_USE
            if account == state.own_account:
                trust = Trust.SELF
            elif state.profile.inviter is not None and account_fingerprint(account) == state.profile.inviter:
                trust = Trust.FROM_LINK
            person = Person(spaces.FORMAT, handle, account, trust, binding=binding)
            state.save_person(person)
        pin = state.pins.get(handle)
        if pin is None:
            state.save_pin(handle, Pin(spaces.FORMAT, account))
        elif pin.account != account and account not in (pin.candidate, *pin.former):
            self._key_changed(handle, pin, person)
        return person

    def _key_changed(self, handle: str, pin: Pin, newcomer: Person) -> None:
        state = self._state
        pin.candidate = newcomer.account
        state.save_pin(handle, pin)
        old = state.people[pin.account]
        explanation = EXPLANATION.format(handle=handle)
        verified = old.trust == Trust.VERIFIED
        state.emit(KeyChanged(handle, old.account.hex(), newcomer.account.hex(), verified, explanation))
        # Both bindings hold under the pinned directory key: each was verified when it was seen.
        text = f"The relay vouches for two different keys under the name {handle}; one of them is not {handle}."
        rooms = self._shared(old.account) or self._shared(newcomer.account)
        for room in rooms:
            self._history.security(room, SecurityKind.FOREIGN_BINDING, text, handle=handle)
        if not rooms:
            self._history.notice_security(SecurityKind.FOREIGN_BINDING, text, handle=handle)
        self.changed(old)

    def _see_device(self, person: Person, device: bytes, serial: int, key: bytes, room: Room | None) -> None:
        known = person.devices.get(device)
        if known is not None and known.serial >= serial:
            return
        new = known is None and bool(person.devices) and person.account != self._state.own_account
        person.devices[device] = Device(serial, key)
        self._state.save_person(person)
        if new:
            shared = self._shared(person.account)
            rooms = shared if room is None or room in shared else [room, *shared]
            self._state.emit(
                NewDevice(person.handle, person.account.hex(), device.hex(), tuple(r.channel.hex() for r in rooms))
            )
            for each in rooms:
                if each.phase in (Phase.JOINED, Phase.INVITED, Phase.OUT):
                    self._history.notice(each, "new_device", f"{person.handle} has another device", person.account)
            self.changed(person)

    def set_online(self, account: bytes, online: bool) -> bool:
        """Whether this is news."""
        if online == (account in self._state.online):
            return False
        if online:
            self._state.online.add(account)
        else:
            self._state.online.discard(account)
        return True

    def changed(self, person: Person) -> None:
        """The view of a person, and of the rooms shared, is another one."""
        self._state.changed_people.add(person.account)
        for room in self._shared(person.account):
            self._state.show(room)
            self._state.poke(room)

    def _shared(self, account: bytes) -> list[Room]:
        state = self._state
        return [
            room
            for room in state.rooms.values()
            if room.peer == account or (room.group and account in state.accounts(room))
        ]

    # -- what the user decides

    def require(self, handle: str) -> Person:
        """Somebody the user names, to be decided about; CommandFailed if nobody of that name was met."""
        person = self.facing(handle)
        if person is None:
            raise CommandFailed(FailureCode.NOT_FOUND, f"nobody named {handle} is known here: write to them first")
        return person

    def safety_number(self, person: Person) -> SafetyNumber:
        """What the two compare."""
        profile = self._state.profile
        return safety_number(profile.handle, self._state.own_account, person.handle, person.account)

    def verify(self, handle: str, number: str) -> None:
        """The user has compared; with digits or a scanned code, these are compared here (MismatchError).

        Where the key has changed, the number decides which of the two is theirs: the other one is out of the question.
        """
        person = self.require(handle)
        if person.account == self._state.own_account:
            raise CommandFailed(FailureCode.INVALID, "that is you")
        known = self.person_of(handle)
        if number:
            try:
                self._compare(person, number)
            except MismatchError:
                if known is None or known is person:
                    raise
                self._compare(known, number)
                person = known
        elif known is not person:
            # The relay chooses the moment of a change: it may lie between what was shown and what is said now.
            text = f"{handle}'s key has changed: give the safety number that you compared"
            raise CommandFailed(FailureCode.BLOCKED, text)
        self._pin_to(person)
        person.trust = Trust.VERIFIED
        self._state.save_person(person)
        self.changed(person)

    def _compare(self, person: Person, number: str) -> None:
        expected = self.safety_number(person)
        if ":" in number:
            expected.compare_qr(number)
        else:
            expected.compare_digits(number)

    def unverify(self, handle: str) -> None:
        """Back to first use."""
        person = self.require(handle)
        if person.trust == Trust.VERIFIED:
            person.trust = Trust.FIRST_USE
            self._state.save_person(person)
            self.changed(person)

    def accept(self, handle: str, key: str) -> None:
        """Goes on with the new key, unverified; CommandFailed for any other than the user has seen.

        The relay chooses the moment of a change: there may be another between what was shown and what is said now.
        """
        pin = self._state.pins.get(handle)
        if pin is None or not pin.candidate:
            raise CommandFailed(FailureCode.INVALID, f"{handle}'s key has not changed")
        if _plain(key) not in (pin.candidate.hex(), _plain(short_fingerprint(pin.candidate))):
            text = f"that is not {handle}'s new key: {self._choice(handle, pin)}"
            raise CommandFailed(FailureCode.BLOCKED, text)
        person = self._state.people[pin.candidate]
        self._pin_to(person)
        self.changed(person)

    def _pin_to(self, person: Person) -> None:
        pin = self._state.pins[person.handle]
        others = {pin.account, pin.candidate} - {person.account, b"", *pin.former}
        pin.former += sorted(others)
        old = self._state.people.get(pin.account)
        pin.account, pin.candidate = person.account, b""
        self._state.save_pin(person.handle, pin)
        if old is not None and old is not person:
            for room in self._shared(old.account):
                self._state.show(room)

    def block(self, handle: str, blocked: bool) -> None:
        """Shows nothing further from this person, or again."""
        person = self.require(handle)
        if person.account == self._state.own_account:
            raise CommandFailed(FailureCode.INVALID, "that is you")
        if person.blocked != blocked:
            person.blocked = blocked
            self._state.save_person(person)
            self.changed(person)

    # -- what the relay is asked

    def lookup(self, handles: Iterable[str] = (), accounts: Iterable[bytes] = ()) -> Task[list[Person]]:
        """The people of these handles and accounts, proofs checked; those not found are left out."""
        found: list[Person] = []
        names, keys = list(dict.fromkeys(handles)), list(dict.fromkeys(accounts))
        while names or keys:
            question = Lookup(0, tuple(names[:CLAIM_BATCH]), tuple(keys[:CLAIM_BATCH]))
            del names[:CLAIM_BATCH], keys[:CLAIM_BATCH]
            answer = yield from self._session.ask(question, Accounts)
            for info in answer.accounts:
                if info.handle in question.handles or info.account in question.accounts:
                    try:
                        found.append(self.learn(info))
                    except IdentityError as error:
                        text = f"The relay's answer about {info.handle} is not genuine: {error}."
                        self._history.notice_security(SecurityKind.FOREIGN_BINDING, text, handle=info.handle)
        return found

    def find(self, handle: str) -> Task[Person]:
        """The person a handle stands for, asked for at the relay if not met before; blocked keys raise."""
        people = yield from self.lookup([handle])
        person = self.person_of(handle)
        if person is None or not any(p.handle == handle for p in people):
            raise CommandFailed(FailureCode.NOT_FOUND, f"there is nobody named {handle} here")
        if self.trust(person.account) is Trust.CHANGED:
            text = f"{handle}'s key has changed: {self._choice(handle, self._state.pins[handle])}"
            raise CommandFailed(FailureCode.BLOCKED, text)
        return person


def _plain(key: str) -> str:
    """Hexadecimal digits as they are compared, however they were grouped."""
    return "".join(character for character in key.lower() if character not in " -:")
