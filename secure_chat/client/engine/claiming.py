"""Claiming key packages: what others have left at the relay so that they can be added while they are away."""

from secure_chat.client.engine.changes import Newcomer
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.history import History
from secure_chat.client.engine.policy import ChangeRefused
from secure_chat.client.engine.requests import check_package
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.events import SecurityKind
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import MLSError
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.wire.limits import CLAIM_BATCH
from secure_chat.wire.messages import ClaimedKeyPackage, ClaimKeyPackages
from secure_chat.wire.messages import KeyPackages as ClaimedPackages

__all__ = ["claim"]


def claim(
    state: State, session: Session, directory: Directory, history: History, suite: int, accounts: list[bytes]
) -> Task[tuple[Newcomer, ...]]:
    """A key package of every device of these accounts, checked: the relay can pass off nobody else's."""
    newcomers: list[Newcomer] = []
    packages: list[ClaimedKeyPackage] = []
    wanted = tuple(dict.fromkeys(accounts))
    for first in range(0, len(wanted), CLAIM_BATCH):
        asked = ClaimKeyPackages(0, suite, wanted[first : first + CLAIM_BATCH])
        packages += (yield from session.ask(asked, ClaimedPackages)).packages
    for claimed in packages:
        person = state.people.get(claimed.account)
        handle = "somebody" if person is None else person.handle
        try:
            package = KeyPackage.from_message(claimed.package)
            newcomer = check_package(package, state.authority, SUITES[suite])
            if claimed.account not in accounts or newcomer.identity.account_key != claimed.account:
                raise ChangeRefused("it is another account's")
            if newcomer.identity.device_id != claimed.device:
                raise ChangeRefused("it is another device's")
            lifetime = package.leaf_node.lifetime
            if lifetime is None or not lifetime.not_before <= state.now // 1000 <= lifetime.not_after:
                continue
        except (MLSError, ChangeRefused) as error:
            text = f"The relay handed out a key package for {handle} that is not genuine: {error}."
            history.notice_security(SecurityKind.KEY_PACKAGE, text, handle=handle)
            continue
        if person is not None and newcomer.identity.serial < person.minimum_serial:
            continue
        if newcomer.identity.device_id != state.profile.device_id:
            directory.observe(newcomer.identity)
            newcomers.append(newcomer)
    return tuple(newcomers)
