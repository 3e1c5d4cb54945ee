"""join, passphrase, backup, restore, export, delete-account, profiles."""

import getpass
import sys
import time
from concurrent.futures import wait
from pathlib import Path

import click

from secure_chat.client import profile as stored
from secure_chat.client.api import Client
from secure_chat.client.commands import DeleteAccount
from secure_chat.client.errors import NameTaken
from secure_chat.client.profile import Profile
from secure_chat.client.vault import Lock
from secure_chat.identity.errors import HandleError
from secure_chat.identity.handle import require_handle
from secure_chat.identity.invite import InviteLink
from secure_chat.ui.arguments import InputError
from secure_chat.ui.cli.chat import run_chat, takes_screen
from secure_chat.ui.cli.session import Session, common_options, pass_session, read_passphrase
from secure_chat.ui.presenter import describe_failure

__all__ = ["backup", "delete_account", "export", "join", "passphrase", "profiles", "restore"]

PROGRESS_SECONDS = 3.0
"""Between two words about how far long work has come."""
_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_OUT = click.Path(path_type=Path, dir_okay=False)


@click.command()
@common_options
@click.argument("link")
@click.option("--name", metavar="NAME", help="Your name: a-z, 0-9, '.', '_', '-'.")
@click.option("--no-passphrase", is_flag=True, help="Keep the store's key in a file that only you can read.")
@click.option("--keyring", is_flag=True, help="Keep the store's key in the system's keyring.")
@click.option("--recovery-code-file", type=_FILE, help="Become a new device of the account with this recovery code.")
@click.option("--plain", is_flag=True, help="Line mode: no full-screen interface; suits screen readers.")
@click.option("--no-chat", is_flag=True, help="Don't open the chat afterwards.")
@pass_session
def join(
    session: Session,
    link: str,
    name: str | None,
    no_passphrase: bool,
    keyring: bool,
    recovery_code_file: Path | None,
    plain: bool,
    no_chat: bool,
) -> None:
    """Join with an invite LINK; afterwards `secure-chat client` opens the chat.

    \b
    secure-chat client 'secure-chat://chat.lan:7443/#v1.…'
    secure-chat client LINK --name alice --no-passphrase --json
    """
    InviteLink.parse(link)  # nobody should answer questions for a link that can't work
    unasked = name is None and not (no_passphrase or keyring or session.passphrase_file or recovery_code_file)
    if unasked and not no_chat and takes_screen(session, plain=plain):
        run_chat(session, None, plain=False, link=link)
        return
    handle = _name(session, name)
    lock, words = _lock(session, no_passphrase, keyring)
    code = None if recovery_code_file is None else read_passphrase(recovery_code_file)
    while True:
        try:
            joined = Client.join(link, handle, profile=session.profile, passphrase=words, lock=lock, recovery_code=code)
        except NameTaken as error:
            if name is not None or not session.interactive:
                raise
            session.say(describe_failure(error))
            handle = _name(session, None)
        else:
            break
    client = session.adopt(joined)
    recovery = client.recovery_code()
    address = client.status().address
    chat = session.interactive and not no_chat
    session.result(
        {"handle": handle, "address": address, "profile": session.profile, "recovery_code": recovery},
        [
            *([] if chat else [f"You are {handle} at {address}."]),
            "",
            f"    recovery code: {recovery}",
            "",
            "Write it down: with it another computer becomes yours, and without it a lost one can't be replaced.",
            "",
        ],
    )
    client.recovery_code_seen()
    if chat:
        run_chat(session, client, plain=not takes_screen(session, plain=plain))
    else:
        client.wait_until_entered()


def _name(session: Session, name: str | None) -> str:
    if name is not None:
        return require_handle(name)
    if not session.interactive:
        raise InputError("who are you? give --name, there is no terminal to ask")
    try:
        default: str | None = require_handle(getpass.getuser().lower())
    except (HandleError, OSError, KeyError):
        default = None
    while True:
        try:
            return require_handle(click.prompt("Your name", default=default))
        except HandleError as error:
            session.say(str(error))


def _lock(session: Session, no_passphrase: bool, keyring: bool) -> tuple[Lock, str | None]:
    """How the store is locked, and the passphrase."""
    if sum((no_passphrase, keyring, session.passphrase_file is not None)) > 1:
        raise InputError("choose one of --no-passphrase, --keyring and --passphrase-file")
    if keyring:
        return Lock.KEYRING, None
    if no_passphrase:
        return Lock.KEY_FILE, None
    if session.passphrase_file is not None:
        return Lock.PASSPHRASE, read_passphrase(session.passphrase_file)
    if not session.interactive:
        raise InputError("give --no-passphrase, --keyring or --passphrase-file, there is no terminal to ask")
    words = _ask_twice("Passphrase for this computer (Enter: none)")
    return (Lock.PASSPHRASE, words) if words else (Lock.KEY_FILE, None)


def _ask_twice(question: str) -> str:
    while True:
        words = getpass.getpass(f"{question}: ")
        if not words or words == getpass.getpass("The same again: "):
            return words
        click.echo("They differ; once more.")


@click.command()
@common_options
@click.option("--new-passphrase-file", type=_FILE, help="Read the new passphrase from the first line of this file.")
@click.option("--remove", is_flag=True, help="No passphrase: keep the key in a file that only you can read.")
@click.option("--keyring", is_flag=True, help="No passphrase: keep the key in the system's keyring.")
@pass_session
def passphrase(session: Session, new_passphrase_file: Path | None, remove: bool, keyring: bool) -> None:
    """Set, change or remove the passphrase of a profile."""
    if sum((remove, keyring, new_passphrase_file is not None)) > 1:
        raise InputError("choose one of --remove, --keyring and --new-passphrase-file")
    client = session.client()
    words: str | None = None
    if remove or keyring:
        lock = Lock.KEYRING if keyring else Lock.KEY_FILE
    else:
        lock = Lock.PASSPHRASE
        if new_passphrase_file is not None:
            words = read_passphrase(new_passphrase_file)
        elif session.interactive:
            words = _ask_twice("New passphrase")
        if not words:
            raise InputError("give a new passphrase (--new-passphrase-file), or --remove it")
    client.change_lock(lock, words).result()
    session.result(lock.value, [f"profile {session.profile} is now locked by: {lock.value.replace('_', ' ')}"])


@click.command()
@common_options
@click.argument("file", type=_OUT)
@click.option("--backup-passphrase-file", type=_FILE, help="Read the backup's own passphrase from this file.")
@pass_session
def backup(session: Session, file: Path, backup_passphrase_file: Path | None) -> None:
    """Write history, account key and what you verified into one encrypted FILE.

    It holds no message keys: what is restored from it begins with fresh ones, so that no key is used twice.
    """
    words = _backup_words(session, backup_passphrase_file, new=True)
    writing = session.client().backup(file, words)
    while not wait((writing,), PROGRESS_SECONDS).done:
        _so_far(session, f"{file}: {file.stat().st_size if file.exists() else 0:,} bytes so far")
    writing.result()
    session.result(str(file), [f"{file}: {file.stat().st_size:,} bytes"])


@click.command()
@common_options
@click.argument("file", type=_OUT)
@click.option("--backup-passphrase-file", type=_FILE, help="Read the backup's own passphrase from this file.")
@click.option("--no-passphrase", is_flag=True, help="Keep the store's key in a file that only you can read.")
@click.option("--keyring", is_flag=True, help="Keep the store's key in the system's keyring.")
@pass_session
def restore(
    session: Session, file: Path, backup_passphrase_file: Path | None, no_passphrase: bool, keyring: bool
) -> None:
    """Make a profile from a backup FILE, in the place of the computer that it was made on."""
    from secure_chat.client.joining import restore_profile

    words = _backup_words(session, backup_passphrase_file, new=False)
    lock, own = _lock(session, no_passphrase, keyring)
    restore_profile(file, words, session.profile, lock, own)
    session.result(session.profile, [f"profile {session.profile} is restored; your rooms let it in one by one"])


def _backup_words(session: Session, file: Path | None, *, new: bool) -> str:
    if file is not None:
        return read_passphrase(file)
    if not session.interactive:
        raise InputError("give --backup-passphrase-file, there is no terminal to ask")
    words = _ask_twice("Passphrase of the backup") if new else getpass.getpass("Passphrase of the backup: ")
    if not words:
        raise InputError("a backup needs a passphrase: it holds your account key and all you wrote")
    return words


@click.command()
@common_options
@click.argument("rooms", nargs=-1, metavar="[ROOM | PERSON]...")
@click.option("--output", type=_OUT, help="Write to this file instead of standard output.")
@pass_session
def export(session: Session, rooms: tuple[str, ...], output: Path | None) -> None:
    """Write history as JSON lines, unencrypted: the rooms named, or all.

    \b
    secure-chat client export '#lobby' --output lobby.jsonl
    """
    from secure_chat.ui.export import export_file, export_lines

    if output is None:
        for line in export_lines(session.client(), rooms):
            sys.stdout.buffer.write(line.encode() + b"\n")
        return
    told = time.monotonic()

    def tell(lines: int) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            _so_far(session, f"{output}: {lines:,} lines so far")

    count = export_file(session.client(), rooms, output, tell)
    session.result({"file": str(output), "lines": count}, [f"{output}: {count:,} lines"])


def _so_far(session: Session, words: str) -> None:
    """Long work shows that it goes on, to a person who waits for it."""
    if session.interactive:
        click.echo(words, err=True)


@click.command("delete-account")
@common_options
@click.option("--confirm", metavar="NAME", help="Your name, typed out.")
@click.option("--delete-profile", is_flag=True, help="Delete history and keys on this computer, too.")
@pass_session
def delete_account(session: Session, confirm: str | None, delete_profile: bool) -> None:
    """Leave every room and delete your account at the relay. There is no way back."""
    client = session.client()
    if confirm is None:
        if not session.interactive:
            raise InputError("give --confirm with your name, there is no terminal to ask")
        confirm = click.prompt("There is no way back. Type your name to delete the account", default="")
    client.ask(DeleteAccount(confirm))
    session.close()
    if delete_profile:
        _delete(session.profile)
    session.result(None, ["The account is deleted."])


@click.command("profiles")
@common_options
@click.option("--delete", metavar="NAME", help="Delete this profile with its history and keys.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@pass_session
def profiles(session: Session, delete: str | None, yes: bool) -> None:
    """List the profiles on this computer, or delete one."""
    if delete is None:
        names = [profile.name for profile in stored.profiles()]
        session.result(names, names or ["none yet; join with: secure-chat client LINK"])
        return
    Profile(delete).require()
    if not yes:
        if not session.interactive:
            raise InputError("give --yes, there is no terminal to ask")
        if not click.confirm(f"Delete profile {delete}, all its history and its account key?", default=False):
            return
    _delete(delete)
    session.result(delete, [f"profile {delete} is deleted"])


def _delete(name: str) -> None:
    profile = Profile(name)
    with profile.acquire():
        profile.delete()
