"""Invite tokens of accounts."""

from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import CreateInvite, Error, InviteCreated, Ok, Registered, RevokeInvite
from tests.server.relay_host import Peer, RelayHost


def invite(peer: Peer, uses: int = 1, lifetime: int = 60_000) -> str:
    answer = peer.ask(CreateInvite(peer.next_id(), uses, lifetime))
    assert isinstance(answer, InviteCreated), answer
    assert answer.expires == peer.host.now + lifetime
    return answer.token


def join(host: RelayHost, handle: str, token: str) -> ErrorCode | None:
    peer = Peer.make(host, handle)
    peer.connect()
    answer = peer.register(token)
    assert isinstance(answer, Registered | Error)
    return answer.code if isinstance(answer, Error) else None


def test_an_account_invites_as_many_as_it_says(host: RelayHost) -> None:
    """A counted token."""
    token = invite(Peer.join(host, "alice"), uses=2)
    assert [join(host, name, token) for name in ("b", "c", "d")] == [None, None, ErrorCode.TOKEN_INVALID]


def test_an_invite_expires(host: RelayHost) -> None:
    """On the millisecond."""
    alice = Peer.join(host, "alice")
    first, second = invite(alice, 1), invite(alice, 1)
    host.now += 59_999
    assert join(host, "b", first) is None
    host.now += 1
    assert join(host, "c", second) is ErrorCode.TOKEN_INVALID


def test_an_invite_is_withdrawn_by_who_made_it(host: RelayHost) -> None:
    """Nobody else, and it stays withdrawn after a restart."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    token = invite(alice)
    assert bob.refused(RevokeInvite(1_000, token)).code is ErrorCode.NOT_FOUND
    assert alice.refused(RevokeInvite(1_000, "unknown")).code is ErrorCode.NOT_FOUND
    assert alice.ask(RevokeInvite(1_001, token)) == Ok(1_001)
    host.restart()
    assert join(host, "c", token) is ErrorCode.TOKEN_INVALID


def test_tokens_are_not_stored(host: RelayHost) -> None:
    """Reading the database invites nobody."""
    token = invite(Peer.join(host, "alice"))
    host.close()
    assert token.encode() not in host.path.read_bytes()
    host._open()


def test_open_invites_are_limited(host: RelayHost) -> None:
    """Used, withdrawn and expired ones don't count."""
    host.relay.reconfigure(Settings(invites_per_account=2), b"")
    alice = Peer.join(host, "alice")
    first, second = invite(alice), invite(alice)
    assert alice.refused(CreateInvite(1_000)).code is ErrorCode.QUOTA
    assert join(host, "b", first) is None
    third = invite(alice)
    alice.ask(RevokeInvite(1_001, second))
    alice.ask(RevokeInvite(1_002, third))
    invite(alice)
    invite(alice)
    host.now += 60_000
    invite(alice)


def test_the_operator_may_keep_invites(host: RelayHost) -> None:
    """Then accounts make none."""
    alice = Peer.join(host, "alice")
    host.relay.reconfigure(Settings(members_may_invite=False), b"")
    assert alice.refused(CreateInvite(1_000)).code is ErrorCode.FORBIDDEN


def test_old_invites_are_forgotten(host: RelayHost) -> None:
    """A month after they have expired."""
    alice = Peer.join(host, "alice")
    invite(alice)
    with host.database.transaction() as transaction:
        before = len(transaction.directory.invites())
    host.tick(31 * 86_400_000)
    with host.database.transaction() as transaction:
        assert len(transaction.directory.invites()) == before - 1
