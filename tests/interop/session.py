"""Random, seeded sessions of one group whose members run on different implementations.

After every epoch all members must agree on it. A model of the leaves (RFC 9420 §7.7: the leftmost blank one,
else a new one) tells who sits where, so that no implementation is asked for it.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.interop.node import PeerError
from tests.interop.peers import Leaf, Member, Name, Proposer, Staged

__all__ = ["Session"]

LATE_EPOCHS = 2
"""How late a message may come: every implementation here still keeps the keys of that many past epochs."""


@dataclass
class Session:
    """One group. `hire` makes a new member; `excused` tells joins refused by a known fault of the joiner."""

    rng: random.Random
    hire: Callable[[Name], Member]
    excused: Callable[[Member, PeerError], bool] = lambda member, error: False
    half_may_empty: bool = True
    """Whether removals may leave no member in the left half of the tree, so that paths end below the root."""
    members: dict[Name, Member] = field(default_factory=dict)
    leaves: list[Name | None] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    refused: int = 0
    entered: set[type[Member]] = field(default_factory=set)
    """The implementations whose members got into the group."""
    epochs: int = 0
    _hired: int = 0

    def found(self) -> None:
        """Epoch 0: one member."""
        founder = self._hire()
        founder.create(b"interop" + self.rng.randbytes(8))
        self.members[founder.name] = founder
        self.entered.add(type(founder))
        self.leaves = [founder.name]
        self._agree("create", founder)

    def step(self, largest: int) -> None:
        """One random thing that happens in the group, with chatter around it."""
        late, before = self._protect_one(), self.epochs
        choices: list[Callable[[], None]] = [self.update, self.race]
        if len(self.members) < largest:
            choices += [self.invite, self.invite, self.invite_by_proposal, self.join_external]
        if len(self.members) > 2:
            choices += [self.remove, self.remove_by_proposal]
        self.rng.choice(choices)()
        self.chat()
        if late is not None and 1 <= self.epochs - before <= LATE_EPOCHS:
            self._deliver_late(*late)

    def grow(self, size: int) -> None:
        """Invite until the group has `size` members."""
        while len(self.members) < size:
            self.invite(min(size - len(self.members), self.rng.choice([1, 1, 2, 4, 8])))

    def invite(self, count: int | None = None) -> None:
        """Somebody adds new members with a Welcome; each then updates, as joiners should."""
        newcomers = [self._hire() for _ in range(count or self.rng.choice([1, 1, 2, 3]))]
        author = self._pick()
        staged = author.commit(add=[member.key_package() for member in newcomers])
        self._spread("invite", author, staged)
        self._welcome(newcomers, staged)

    def invite_by_proposal(self) -> None:
        """One member proposes an addition, perhaps another commits it."""
        newcomer = self._hire()
        if not self._propose("propose to add", add=newcomer.key_package()):
            return
        author = self._pick()
        staged = author.commit_proposals()
        self._spread("commit proposals", author, staged)
        self._welcome([newcomer], staged)

    def update(self, author: Member | None = None) -> None:
        """Somebody commits with fresh keys."""
        author = author or self._pick()
        self._spread("update", author, author.commit())

    def remove(self) -> None:
        """Somebody removes one or two others."""
        author = self._pick()
        others = [name for name in self.members if name != author.name]
        gone = self.rng.sample(others, min(len(others) - 1, self.rng.choice([1, 1, 2])) or 1)
        if not self._may_remove(gone):
            return
        staged = author.commit(remove=[self._leaf(name) for name in gone])
        self._spread("remove", author, staged, gone)

    def remove_by_proposal(self) -> None:
        """A removal proposed by reference, committed by somebody who stays."""
        gone = self._pick().name
        if not self._may_remove([gone]) or not self._propose("propose to remove", remove=self._leaf(gone), but=gone):
            return
        author = self._pick(but=gone)
        self._spread("commit proposals", author, author.commit_proposals(), [gone])

    def race(self) -> None:
        """Two commits for one epoch: the second loses and leaves no trace."""
        winner, loser = self._pick(), self._pick()
        if loser is winner:
            return
        staged = winner.commit()
        loser.commit()
        loser.discard()
        self._spread("win a race", winner, staged)

    def join_external(self) -> None:
        """Somebody joins by a commit of its own."""
        infos = [info for member in self.members.values() if (info := member.group_info()) is not None]
        newcomer = self._hire()
        if not infos or not newcomer.external:
            return
        staged = newcomer.join_external(self.rng.choice(infos))
        for member in self.members.values():
            member.receive(staged.commit)
        newcomer.merge()
        self._seat(newcomer)
        self.entered.add(type(newcomer))
        self._agree("join externally", newcomer)

    def chat(self) -> None:
        """A few messages from several senders, received in different orders."""
        sent = []
        for sender in self.rng.sample(list(self.members.values()), min(2, len(self.members))):
            for _ in range(self.rng.choice([1, 2])):  # core-crypto tolerates two messages out of order
                data = self.rng.randbytes(self.rng.choice([0, 1, 100, 1000]))
                sent.append((sender, data, sender.protect(data)))
        for member in self.members.values():
            for sender, data, message in self.rng.sample(sent, len(sent)):
                if sender is not member:
                    assert member.receive(message) == data, self.tell()

    def tell(self) -> str:
        """The story so far, for a failure's report."""
        return "\n".join(self.story)

    def _propose(
        self, what: str, add: bytes | None = None, remove: Leaf | None = None, but: Name | None = None
    ) -> bool:
        able = [m for m in self.members.values() if isinstance(m, Proposer) and m.name != but]
        if not able:
            return False
        proposer = self.rng.choice(able)
        self.story.append(f"{proposer.name.number} {what}")
        message = proposer.propose(add, remove)
        for member in self.members.values():
            if member is not proposer:
                member.receive(message)
        return True

    def _spread(self, what: str, author: Member, staged: Staged, gone: Sequence[Name] = ()) -> None:
        self.story.append(f"{type(author).__name__} {author.name.number}: {what} {[n.number for n in gone]}")
        for member in self.members.values():
            if member is not author:
                member.receive(staged.commit)
        author.merge()
        for name in gone:
            assert self.members[name].removed(), self.tell()
            self.members.pop(name).leave()
            self.leaves[self.leaves.index(name)] = None
        self._agree(what, author)

    def _welcome(self, newcomers: Sequence[Member], staged: Staged) -> None:
        assert staged.welcome is not None
        unwelcome = []
        for member in newcomers:
            self._seat(member)
            try:
                member.join(staged.welcome)
            except PeerError as error:
                self._excuse(member, error)
                unwelcome.append(member.name)
        joined = [member for member in newcomers if member.name in self.members and member.name not in unwelcome]
        for name in unwelcome:
            del self.members[name]
        self.entered |= {type(member) for member in joined}
        self._agree("join", *joined)
        if unwelcome:
            author = self._pick()
            staged = author.commit(remove=[self._leaf(name) for name in unwelcome])
            for name in unwelcome:
                self.leaves[self.leaves.index(name)] = None
            self._spread("remove who could not join", author, staged)
        for member in joined:
            self.update(member)

    def _excuse(self, member: Member, error: PeerError) -> None:
        assert self.excused(member, error), f"{error}\n{self.tell()}"
        self.story.append(f"{type(member).__name__} {member.name.number} refuses to join: {error}")
        self.refused += 1
        member.leave()

    def _seat(self, member: Member) -> None:
        self.members[member.name] = member
        while self.leaves and self.leaves[-1] is None:
            self.leaves.pop()
        if None in self.leaves:
            self.leaves[self.leaves.index(None)] = member.name
        else:
            self.leaves.append(member.name)

    def _may_remove(self, gone: Sequence[Name]) -> bool:
        left = [None if name in gone else name for name in self.leaves]
        while left and left[-1] is None:
            left.pop()
        half = (1 << (len(left) - 1).bit_length()) // 2
        return self.half_may_empty or half == 0 or any(name is not None for name in left[:half])

    def _leaf(self, name: Name) -> Leaf:
        return Leaf(self.leaves.index(name), name)

    def _hire(self) -> Member:
        self._hired += 1
        return self.hire(Name(self._hired))

    def _pick(self, but: Name | None = None) -> Member:
        return self.rng.choice([member for name, member in self.members.items() if name != but])

    def _protect_one(self) -> tuple[Member, bytes, bytes, Member] | None:
        sender, receiver = self._pick(), self._pick()
        if sender is receiver:
            return None
        data = self.rng.randbytes(20)
        return sender, data, sender.protect(data), receiver

    def _deliver_late(self, sender: Member, data: bytes, message: bytes, receiver: Member) -> None:
        if sender.name in self.members and receiver.name in self.members and self.rng.random() < 0.5:
            assert receiver.receive(message) == data, self.tell()

    def _agree(self, what: str, *by: Member) -> None:
        self.story.append(f"{[member.name.number for member in by]} {what}; leaves {self._seats()}")
        self.epochs += 1
        statuses = {name: member.status() for name, member in self.members.items()}
        for attribute in ("epoch", "exported", "epoch_authenticator", "tree_hash"):
            values = {getattr(status, attribute) for status in statuses.values()} - {None}
            assert len(values) <= 1, f"{attribute} differs: {statuses}\n{self.tell()}"

    def _seats(self) -> list[int | None]:
        return [name.number if name is not None else None for name in self.leaves]
