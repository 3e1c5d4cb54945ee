"""What concerns this account and client rather than a room: settings, invite links, devices, the account's end."""

from collections.abc import Callable, Generator

from secure_chat.client.commands import (
    Action,
    CreateInviteLink,
    DeleteAccount,
    Reconnect,
    RecoveryCodeSeen,
    RevokeDevice,
    SetAddress,
    SetReadReceipts,
    SetVisible,
)
from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.device import Device
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.session import OFFLINE_TEXT, Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise, Task, wait
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, Result
from secure_chat.client.views import DeviceView
from secure_chat.errors import SecureChatError
from secure_chat.identity import certificate as certificates
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.credential import account_fingerprint
from secure_chat.identity.errors import IdentityError, InviteLinkError
from secure_chat.identity.invite import InviteLink, format_address, parse_address
from secure_chat.identity.login import sign_deletion
from secure_chat.wire.messages import Accounts, CreateInvite, InviteCreated, Lookup, Ok, RevokeDevices
from secure_chat.wire.messages import DeleteAccount as WireDeleteAccount

__all__ = ["Own"]


class Own:
    """Commands about oneself."""

    def __init__(
        self,
        state: State,
        session: Session,
        device: Device,
        directory: Directory,
        commits: Commits,
        leave: Callable[[Room], Task[None]],
    ) -> None:
        self._state = state
        self._session = session
        self._device = device
        self._directory = directory
        self._commits = commits
        self._leave = leave
        self._next_login: Promise[None] = Promise()

    def perform(self, action: Action) -> Result | Generator[object, None, Result]:
        """The result, or a task that will have it."""
        match action:
            case CreateInviteLink():
                return self._create_link(action)
            case SetReadReceipts(enabled=enabled):
                self._state.profile.read_receipts = enabled
                self._state.save_profile()
                return None
            case SetVisible(visible=visible):
                self._state.profile.visible = visible
                self._state.save_profile()
                return None
            case SetAddress(address=address):
                return self._set_address(address)
            case Reconnect():
                self._session.reconnect()
                return None
            case RecoveryCodeSeen():
                self._state.profile.code_due = False
                self._state.save_profile()
                return None
            case RevokeDevice(device=device):
                return self._revoke(device)
            case DeleteAccount(confirm=confirm):
                return self._delete(confirm)
        raise CommandFailed(FailureCode.INVALID, "there is no such command")

    def logged_in(self) -> None:
        """A login has succeeded, with the newest certificate."""
        promise, self._next_login = self._next_login, Promise()
        promise.keep(None)

    def devices(self) -> Task[tuple[DeviceView, ...]]:
        """This account's devices, as their certificates say."""
        views: list[DeviceView] = []
        for certificate in (yield from self._certificates()):
            views.append(
                DeviceView(
                    id=certificate.device_id.hex(),
                    serial=certificate.serial,
                    issued=certificate.issued * 1000,
                    expires=certificate.expires * 1000,
                    current=certificate.device_id == self._state.profile.device_id,
                )
            )
        return tuple(views)

    def _certificates(self) -> Task[list[DeviceCertificate]]:
        own = self._state.own_account
        answer = yield from self._session.ask(Lookup(0, (), (own,)), Accounts)
        found: list[DeviceCertificate] = []
        for info in answer.accounts:
            for data in info.devices:
                try:
                    certificate = certificates.verify(data)
                except IdentityError:
                    continue
                if certificate.account_key == own:
                    found.append(certificate)
        return found

    def _create_link(self, action: CreateInviteLink) -> Task[Result]:
        if action.uses < 1 or action.uses > 1000 or not 60_000 <= action.lifetime <= 90 * 86_400_000:
            text = "an invitation has 1 to 1,000 uses and lives from a minute to 90 days"
            raise CommandFailed(FailureCode.INVALID, text)
        answer = yield from self._session.ask(CreateInvite(0, action.uses, action.lifetime), InviteCreated)
        profile = self._state.profile
        host, port = parse_address(profile.address)
        return str(InviteLink(host, port, profile.ca_pin, answer.token, account_fingerprint(self._state.own_account)))

    def _set_address(self, text: str) -> Result:
        try:
            host, port = parse_address(text.strip())
        except InviteLinkError as error:
            raise CommandFailed(FailureCode.INVALID, str(error)) from None
        self._state.profile.address = format_address(host, port)
        self._state.save_profile()
        self._session.reconnect()
        return None

    def _revoke(self, text: str) -> Task[Result]:
        """Own leaves and certificate first get a serial above the minimum, so that nobody takes this device out."""
        state = self._state
        target = next((c for c in (yield from self._certificates()) if c.device_id.hex() == text), None)
        if target is None:
            raise CommandFailed(FailureCode.NOT_FOUND, "this account has no such device")
        if target.device_id == state.profile.device_id:
            raise CommandFailed(FailureCode.INVALID, "that is this very device: delete its profile instead")
        minimum = target.serial + 1
        self._device.renew(fresh_key=False, above=minimum)
        for room in list(state.rooms.values()):
            if room.phase == Phase.JOINED and state.is_live(room):
                yield from wait(self._commits.wish(room, Wish(refresh=True)))
        again = self._next_login
        self._session.reconnect()
        yield from wait(again)
        revocation = certificates.revoke(state.account_key, minimum)
        yield from self._session.ask(RevokeDevices(0, revocation.encode()), Ok)
        person = state.people[state.own_account]
        person.minimum_serial, person.revocation = minimum, revocation.encode()
        person.devices.pop(target.device_id, None)
        state.save_person(person)
        self._directory.changed(person)
        return None

    def _delete(self, confirm: str) -> Task[Result]:
        state, profile = self._state, self._state.profile
        if confirm != profile.handle:
            raise CommandFailed(FailureCode.INVALID, "to delete the account, give its own name as confirmation")
        if not self._session.entered:
            raise CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT)
        for room in list(state.rooms.values()):
            if room.phase in (Phase.JOINED, Phase.INVITED, Phase.OUT, Phase.ENTERING, Phase.NEW):
                try:
                    yield from self._leave(room)
                except CommandFailed:
                    raise
                except SecureChatError:
                    continue  # the relay takes the devices out of what is left
        nonces = self._session.nonces
        signature = sign_deletion(
            state.account_key,
            client_nonce=nonces[0],
            server_nonce=nonces[1],
            server_certificate=self._session.certificate_hash,
        )
        yield from self._session.ask(WireDeleteAccount(0, signature), Ok)
        profile.deleted = True
        state.save_profile()
        self._session.close("the account was deleted", 0)
        return None
