"""The /commands that every interactive skin has: those of the table of actions, and those that take several steps."""

from dataclasses import dataclass

from secure_chat.ui.actions import ACTIONS
from secure_chat.ui.arguments import Action, Kind, Parameter

__all__ = ["SLASH", "TOPICS", "UNLISTED", "Slash"]


@dataclass(frozen=True, slots=True)
class Slash:
    """How a command is used."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    example: str = ""
    action: Action | None = None

    @property
    def usage(self) -> str:
        """As /help shows it; the current room need not be named."""
        shown = (f"[{each.metavar}]" if each.kind is Kind.ROOM else each.metavar for each in self.parameters)
        return " ".join([f"/{self.name}", *shown])

    @property
    def how(self) -> str:
        """Usage and an example, for whoever typed it wrongly."""
        return f"{self.usage}   e.g. /{self.name} {self.example}" if self.example else self.usage


_PERSON = Parameter(Kind.PERSON)
_TEXT = Parameter(Kind.TEXT)
_ALIASES = {"members": ("who", "names"), "leave": ("part",), "status": ("whoami",), "invitations": ("invites",)}
UNLISTED = {other for others in _ALIASES.values() for other in others} | {"typing", "read", "message"}
"""Known, but not worth a line of the help."""
_WRITTEN = (
    Slash("join", "Enter an open room, making it if there is none.", (Parameter(Kind.NAME),), "#garden"),
    Slash("room", "Go to a room or a person.", (Parameter(Kind.NAME, name="ROOM|PERSON"),), "#lobby"),
    Slash("next", "Go to the next room with something unread (also Alt-A)."),
    Slash("msg", "Write to a person, and go there.", (_PERSON, Parameter(Kind.TEXT, optional=True)), "bob see you"),
    Slash(
        "reply", "Answer a message: the last one of others, or ^2, ^3, …", (Parameter(Kind.MESSAGE), _TEXT), "^2 yes"
    ),
    Slash("history", "Show the last lines of this room, with their numbers.", (Parameter(Kind.NUMBER, True),), "50"),
    Slash("search", "Search everywhere; in this room with /search # WORDS.", (_TEXT,), "launch code"),
    Slash(
        "verify",
        "Compare safety numbers with a person: the same digits on both screens, or those they read out.",
        (_PERSON, Parameter(Kind.TEXT, True, "DIGITS")),
        "bob",
    ),
    Slash(
        "fingerprint",
        "Safety number and QR code with a person, or your own fingerprint.",
        (Parameter(Kind.PERSON, optional=True),),
        "bob",
    ),
    Slash("invite-link", "A link with which somebody can join this relay."),
    Slash("help", "All commands, or how one is used.", (Parameter(Kind.WORD, True, "COMMAND"),), "invite"),
    Slash("quit", "Leave the chat (also Ctrl-D); you stay in your rooms."),
)


def _table() -> dict[str, Slash]:
    known = {
        name: Slash(name, action.summary, action.parameters, action.example.replace("'", ""), action)
        for name, action in ACTIONS.items()
        if name != "join-room"
    }
    for name, others in _ALIASES.items():
        for other in others:
            action = ACTIONS[name]
            known[other] = Slash(other, action.summary, action.parameters, "", action)
    known.update({slash.name: slash for slash in _WRITTEN})
    return dict(sorted(known.items()))


SLASH: dict[str, Slash] = _table()
"""Every /command by its name."""

TOPICS: dict[str, tuple[str, ...]] = {
    "Writing": ("msg", "reply", "edit", "delete", "react", "history", "search", "retry", "cancel"),
    "Rooms": (
        "rooms", "room", "next", "join", "open-rooms", "members", "leave", "mute", "unmute",
    ),
    "Closed rooms": (
        "create", "invite", "invitations", "accept", "decline", "rename", "invite-policy",
    ),
    "For a room's admins": ("kick", "ban", "unban", "promote", "demote", "restart"),
    "People and trust": (
        "people", "verify", "unverify", "fingerprint", "code", "accept-key", "block", "unblock",
    ),
    "Yourself": (
        "status", "receipts", "visible", "invite-link", "devices", "revoke-device", "recovery-code", "refresh-keys",
        "set-address", "reconnect", "help", "quit",
    ),
}  # fmt: skip
"""The order of the help: every listed command under what people want to do."""
