"""Live sessions with Wire's core-crypto 10.3.0 (OpenMLS): suites 1, 2, 3, 5 and 7, handshakes in the clear.

core-crypto tells no epoch authenticator; agreement shows in what it exports from the same epoch secret.
"""

import random
import time

import pytest

from tests.interop.node import INSTALL_SECONDS, Driver
from tests.interop.own import OwnMember
from tests.interop.peers import CoreCryptoMember, Member, Name, TsMember
from tests.interop.session import Session
from tests.interop.test_ts_mls import refuses_unmerged

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 100)  # the first test may have to install the peer

SUITES = [1, 2, 3, 5, 7]
HOUR = 3600


def own_member(name: Name, suite: int, rng: random.Random) -> OwnMember:
    """A member run by this project; core-crypto accepts key packages of up to three months."""
    now = int(time.time())
    return OwnMember(name, suite, lifetime=(now - HOUR, now + 28 * 24 * HOUR), rng=rng, public=True)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("founder", ["own", "core-crypto"])
def test_two_members_do_everything(core_crypto: Driver, suite: int, founder: str) -> None:
    """Each side creates, invites by Welcome, updates, talks, adds and removes; both agree on every epoch."""
    rng = random.Random(f"{suite} {founder}")

    def hire(name: Name) -> Member:
        own = (name.number % 2 == 1) == (founder == "own")
        return own_member(name, suite, rng) if own else CoreCryptoMember(core_crypto, name, suite)

    session = Session(rng, hire)
    session.found()
    session.grow(2)
    for _ in range(2):
        for member in list(session.members.values()):
            session.update(member)
            session.chat()
        session.race()
    session.join_external()
    session.join_external()
    session.invite(1)
    session.invite_by_proposal()
    session.chat()
    session.remove()
    session.remove_by_proposal()
    session.chat()


@pytest.mark.parametrize(
    ("suite", "size", "steps", "seed"),
    [(1, 8, 20, 1), (2, 8, 15, 2), (3, 3, 30, 3), (3, 16, 20, 4), (3, 32, 12, 5), (5, 5, 12, 6), (7, 6, 12, 7)],
)
def test_random_sessions_agree(core_crypto: Driver, suite: int, size: int, steps: int, seed: int) -> None:
    """Groups of mixed members agree on every epoch, whatever happens in them."""
    rng = random.Random(seed)

    def hire(name: Name) -> Member:
        own = rng.random() < 0.5
        return own_member(name, suite, rng) if own else CoreCryptoMember(core_crypto, name, suite)

    session = Session(rng, hire)
    session.found()
    session.grow(size)
    for _ in range(steps):
        session.step(size)
    assert session.epochs > steps
    assert session.entered == {OwnMember, CoreCryptoMember}


@pytest.mark.parametrize("seed", [1, 2])
def test_three_implementations_agree(core_crypto: Driver, ts_mls: Driver, seed: int) -> None:
    """secure_chat, core-crypto and ts-mls in one group."""
    rng = random.Random(seed)
    now = int(time.time())

    def hire(name: Name) -> Member:
        match rng.randrange(3):
            case 0:
                return own_member(name, 3, rng)
            case 1:
                return CoreCryptoMember(core_crypto, name, 3)
        return TsMember(ts_mls, name, 3, lifetime=(now - HOUR, now + 28 * 24 * HOUR), public=True)

    session = Session(rng, hire, refuses_unmerged, half_may_empty=False)
    session.found()
    session.grow(9)
    for _ in range(15):
        session.step(9)
    assert session.entered == {OwnMember, CoreCryptoMember, TsMember}
