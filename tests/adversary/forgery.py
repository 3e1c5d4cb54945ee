"""Groups and Welcomes that a relay makes up with the help of an account of its own."""

from collections.abc import Iterable

from secure_chat.client.engine.entrances import group_prefix
from secure_chat.client.engine.policy import Roles, group_extensions
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import ClaimKeyPackages, EntryKind, KeyPackages, ServerMessage
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import CLASSICAL
from tests.scenarios.harness import Node

__all__ = ["deliver_welcome", "forged_group", "package_of"]


def package_of(world: LyingRelay, thief: Node, victim: Node) -> KeyPackage:
    """A key package that the relay takes from its own shelf."""
    found: list[KeyPackages] = []

    def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if isinstance(message, KeyPackages) and message.id == 1 << 50:
            found.append(message)
            return ()
        return (message,)

    world.outgoing.append(tap)
    assert thief.link is not None
    account = victim.engine._state.own_account
    world.to_relay(thief.link, encode_frame(ClaimKeyPackages(1 << 50, CLASSICAL, (account,))))
    world.run_until(lambda: bool(found))
    world.outgoing.remove(tap)
    return KeyPackage.from_message(found[0].packages[0].package)


def forged_group(mallory: Node, channel: bytes, roles: Roles, victims: list[KeyPackage]) -> tuple[Group, bytes]:
    """A group of mallory's own making with these people in it, and the Welcome for them."""
    device = mallory.engine._device
    group = Group.create(
        SUITES[CLASSICAL],
        group_prefix(channel, roles.generation) + bytes(8),
        device.leaf(SUITES[CLASSICAL]),
        device.lifetime(),
        mallory.engine._state.authority,
        group_extensions(roles),
    )
    made = group.commit(add=victims)
    group.merge_pending()
    assert made.welcome is not None
    return group, made.welcome


def deliver_welcome(world: LyingRelay, victim: Node, welcome: bytes, channel: bytes, seq: int) -> None:
    """Puts a Welcome into somebody's inbox."""
    inbox = victim.engine._channels.inbox
    number = world.last(victim, inbox) + 1
    world.say(victim, world.entry(inbox, number, EntryKind.WELCOME, bytes(16), welcome, origin=(channel, seq)))
