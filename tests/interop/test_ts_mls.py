"""Live sessions with ts-mls 1.6.4: suite 3 and the X-Wing suite."""

import random
import time

import pytest

from tests.draft_suites import XWING_TS_MLS
from tests.interop.node import INSTALL_SECONDS, Driver, PeerError
from tests.interop.own import OwnMember
from tests.interop.peers import CoreCryptoMember, Leaf, Member, Name, Staged, TsMember
from tests.interop.session import Session

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 100)  # the first test may have to install the peer

DAY = 24 * 3600
GREASE = [0x1A1A, 0x2A2A]

UNMERGED_REFUSAL = "non-blank intermediate node must list leaf node in its unmerged_leaves"
"""ts-mls 1.6.4 demands that all nodes above an unmerged leaf list the same unmerged leaves. RFC 9420 §12.4.3.1 asks
only that the nodes between a parent and its unmerged leaf list that leaf: a node higher up that was freshly updated
lists fewer. Fixed in ts-mls after 2.0-rc.10."""
WRONG_TAG = "Could not verify confirmation tag"
"""Where one half of the tree has no member, the root is not on the filtered direct path, and §7.4 takes the commit
secret from the path's last node; ts-mls 1.6.4 derives one step further, for the root."""


def lifetime() -> tuple[int, int]:
    """A month around now; ts-mls checks it when it adds somebody."""
    now = int(time.time())
    return now - DAY, now + 29 * DAY


def ts_member(driver: Driver, name: Name, suite: int, rng: random.Random) -> TsMember:
    """A member run by ts-mls."""
    return TsMember(driver, name, suite, lifetime=lifetime(), grease=GREASE, public=rng.random() < 0.3)


def own_member(name: Name, suite: int, rng: random.Random) -> OwnMember:
    """A member run by this project."""
    return OwnMember(name, suite, lifetime=lifetime(), rng=rng, public=rng.random() < 0.3, grease=rng.random() < 0.5)


def refuses_unmerged(member: Member, error: PeerError) -> bool:
    """Whether a join failed for ts-mls's known fault."""
    return isinstance(member, TsMember) and UNMERGED_REFUSAL in str(error)


@pytest.mark.parametrize("suite", [3, XWING_TS_MLS], ids=["suite3", "xwing"])
@pytest.mark.parametrize("founder", ["own", "ts-mls"])
def test_two_members_do_everything(ts_mls: Driver, suite: int, founder: str) -> None:
    """Each side creates, invites by Welcome, updates, talks, adds and removes; both agree on every epoch."""
    rng = random.Random(f"{suite} {founder}")

    def hire(name: Name) -> Member:
        own = (name.number % 2 == 1) == (founder == "own")
        return own_member(name, suite, rng) if own else ts_member(ts_mls, name, suite, rng)

    session = Session(rng, hire, refuses_unmerged, half_may_empty=False)
    session.found()
    session.grow(2)
    for _ in range(2):
        for member in list(session.members.values()):
            session.update(member)
            session.chat()
        session.race()
    session.invite(1)
    session.invite_by_proposal()
    session.chat()
    session.remove()
    session.remove_by_proposal()
    session.chat()


@pytest.mark.parametrize(
    ("suite", "size", "steps", "seed"),
    [
        (3, 3, 25, 1),
        (3, 5, 25, 2),
        (3, 8, 20, 3),
        (3, 16, 12, 4),
        (3, 32, 8, 5),
        (XWING_TS_MLS, 3, 20, 6),
        (XWING_TS_MLS, 6, 15, 7),
        (XWING_TS_MLS, 12, 8, 8),
    ],
)
def test_random_sessions_agree(ts_mls: Driver, suite: int, size: int, steps: int, seed: int) -> None:
    """Groups of mixed members agree on every epoch, whatever happens in them."""
    rng = random.Random(seed)

    def hire(name: Name) -> Member:
        return own_member(name, suite, rng) if rng.random() < 0.5 else ts_member(ts_mls, name, suite, rng)

    session = Session(rng, hire, refuses_unmerged, half_may_empty=False)
    session.found()
    session.grow(size)
    for _ in range(steps):
        session.step(size)
    assert session.epochs > steps
    assert session.entered == {OwnMember, TsMember}


@pytest.mark.parametrize("suite", [3, XWING_TS_MLS], ids=["suite3", "xwing"])
def test_psks_are_mixed_in_alike(ts_mls: Driver, suite: int) -> None:
    """Each side commits an external PSK, and both reach the same epoch; without the PSK nobody follows."""
    rng = random.Random(suite)
    own, peer = own_member(Name(1), suite, rng), ts_member(ts_mls, Name(2), suite, rng)
    crowd(own, peer)
    psk = {b"psk %d" % suite: b"known from elsewhere"}
    staged = Staged(own.group.commit(psks=psk).commit)
    with pytest.raises(PeerError):
        peer.receive(staged.commit)
    for psk_id, secret in psk.items():
        peer.add_psk(psk_id, secret)
        own.group.add_psk(psk_id, secret)
    peer.receive(staged.commit)
    own.merge()
    assert own.status() == peer.status()
    own.receive(peer.commit(psks=list(psk)).commit)
    peer.merge()
    assert own.status() == peer.status()


def crowd(*members: Member) -> None:
    """Put the members into one group, the first of them adding the others one by one."""
    founder, *others = members
    founder.create(b"crowd")
    for place, newcomer in enumerate(others):
        staged = founder.commit(add=[newcomer.key_package()])
        for member in others[:place]:
            member.receive(staged.commit)
        founder.merge()
        assert staged.welcome is not None
        newcomer.join(staged.welcome)


def test_ts_mls_refuses_a_valid_tree_with_unmerged_leaves(ts_mls: Driver, core_crypto: Driver) -> None:
    """A known fault of the peer: core-crypto and secure_chat enter the same group."""
    rng = random.Random(1)
    members = [own_member(Name(number), 3, rng) for number in range(7)]
    crowd(*members)
    staged = members[4].commit()
    for member in members:
        if member is not members[4]:
            member.receive(staged.commit)
    members[4].merge()
    newcomers: list[Member] = [
        ts_member(ts_mls, Name(101), 3, rng),
        CoreCryptoMember(core_crypto, Name(102), 3),
        own_member(Name(103), 3, rng),
    ]
    for newcomer in newcomers:
        # The newcomer gets leaf 7: unmerged at the node above leaves 4 to 7, not at the root, which is fresh.
        staged = members[0].commit(add=[newcomer.key_package()], with_path=True)
        members[0].discard()
        assert staged.welcome is not None
        if isinstance(newcomer, TsMember):
            with pytest.raises(PeerError, match=UNMERGED_REFUSAL):
                newcomer.join(staged.welcome)
        else:
            newcomer.join(staged.welcome)
            assert newcomer.status().epoch == members[0].status().epoch + 1


def test_ts_mls_goes_astray_where_half_of_the_tree_is_empty(ts_mls: Driver, core_crypto: Driver) -> None:
    """A known fault of the peer: core-crypto and secure_chat agree on the same commit."""
    rng = random.Random(2)
    peers: list[Member] = [
        ts_member(ts_mls, Name(101), 3, rng),
        CoreCryptoMember(core_crypto, Name(102), 3),
        own_member(Name(103), 3, rng),
    ]
    for peer in peers:
        first, second, last = (
            OwnMember(Name(number), 3, lifetime=lifetime(), rng=rng, public=True) for number in range(3)
        )
        crowd(first, second, peer, last)
        staged = last.commit(remove=[Leaf(0, first.name), Leaf(1, second.name)])
        if isinstance(peer, TsMember):
            with pytest.raises(PeerError, match=WRONG_TAG):
                peer.receive(staged.commit)
        else:
            peer.receive(staged.commit)
            last.merge()
            assert peer.status().exported == last.status().exported
