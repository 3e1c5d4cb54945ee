"""The steps of joining and what they say."""

from dataclasses import dataclass
from enum import Enum, auto
from importlib.util import find_spec

from secure_chat.client.vault import Lock
from secure_chat.ui.tui.lists import Item

__all__ = ["STEPS", "Said", "Step", "lock_items"]


class Step(Enum):
    """Where the person is."""

    LINK = auto()
    NAME = auto()
    CODE = auto()
    """A recovery code instead of a new account."""
    LOCK = auto()
    PASSPHRASE = auto()
    AGAIN = auto()
    JOINING = auto()
    RECOVERY = auto()


@dataclass(frozen=True, slots=True)
class Said:
    """Words of a step."""

    number: int
    title: str
    words: str
    placeholder: str = ""
    secret: bool = False


STEPS: dict[Step, Said] = {
    Step.LINK: Said(
        1,
        "The invite link",
        "Paste the link that somebody sent you. It begins with secure-chat:// and says which server to join and how "
        "to recognise it.",
        "secure-chat://…",
    ),
    Step.NAME: Said(
        2,
        "Your name",
        "Others see this name and write to it. It can't be changed later: a–z, 0–9, '.', '_' and '-'.\n"
        "F4: I have an account already, and its recovery code.",
        "name",
    ),
    Step.CODE: Said(
        2,
        "Your recovery code",
        "It was shown when you joined for the first time. With it this computer becomes another device of your "
        "account.",
        "recovery code",
        secret=True,
    ),
    Step.LOCK: Said(
        3,
        "How shall this computer keep your messages?",
        "Everything on disk is encrypted. What shall unlock it?",
    ),
    Step.PASSPHRASE: Said(
        3,
        "A passphrase",
        "Several words are better than one strange one. If it is lost, so is the history on this computer.",
        "passphrase",
        secret=True,
    ),
    Step.AGAIN: Said(
        3,
        "The passphrase once more",
        "So that a slip of the finger locks nobody out.",
        "the same again",
        secret=True,
    ),
    Step.JOINING: Said(4, "Joining", "Keys are made, and the server is checked against your link…"),
    Step.RECOVERY: Said(
        5,
        "Your recovery code",
        "Write it down and keep it safe: with it another computer becomes yours, and without it a lost one can't be "
        "replaced. Whoever has it is you.",
    ),
}


def lock_items() -> list[Item]:
    """The choices, a sentence each."""
    choices = [(Lock.PASSPHRASE, "Passphrase", "asked at each start; guards a stolen disk")]
    if find_spec("keyring") is not None:
        choices.append((Lock.KEYRING, "Keyring", "unlocked when you log in; nothing to type"))
    choices.append((Lock.KEY_FILE, "No passphrase", "nothing to type; a stolen disk is open"))
    return [Item(lock.value, ((f"{name:<14}", "strong"), (explained, "text"))) for lock, name, explained in choices]
