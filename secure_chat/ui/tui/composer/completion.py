"""What Tab offers for the word before the cursor: commands, rooms, people (whoever spoke last first), emoji."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from secure_chat.ui.arguments import Kind
from secure_chat.ui.presenter import room_title
from secure_chat.ui.slash import Slash
from secure_chat.ui.tui.composer.emoji import find_emoji
from secure_chat.ui.tui.model import Model

__all__ = ["Candidate", "complete"]

MAX_CANDIDATES = 50
_ROOMS = {Kind.ROOM, Kind.NAME}
_PEOPLE = {Kind.PERSON, Kind.PEOPLE}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to go on."""

    insert: str
    """Replaces the word before the cursor."""
    shown: str
    note: str = ""


def complete(before: str, model: Model, commands: Mapping[str, Slash], *, forced: bool) -> tuple[int, list[Candidate]]:
    """Length of the word before the cursor, and what it could become.

    Without `forced` (that is, while typing and not by Tab) only words that begin with a sign are completed.
    """
    word = before.replace("\n", " ").split(" ")[-1]
    if before.startswith("/") and not before.startswith("//") and "\n" not in before:
        found = _command(before, word, model, commands, forced)
    elif word.startswith(":") and len(word) > 2 and not word.endswith(":"):
        found = [Candidate(emoji, f"{emoji} :{name}:") for name, emoji in find_emoji(word[1:])]
    elif word.startswith("@"):
        found = _matching(word, (Candidate(f"@{name} ", f"@{name}", _note(model, name)) for name in model.names()))
    elif word.startswith("#"):
        found = _matching(word, _rooms(model))
    elif forced and word:
        end = ": " if before == word else " "
        found = _matching(word, (Candidate(name + end, name, _note(model, name)) for name in model.names()))
    elif forced and not before:
        found = [Candidate(f"{name}: ", name, _note(model, name)) for name in model.names()]
    else:
        found = []
    return len(word), found[:MAX_CANDIDATES]


def _command(before: str, word: str, model: Model, commands: Mapping[str, Slash], forced: bool) -> list[Candidate]:
    name, space, _ = before[1:].partition(" ")
    if not space:
        return _matching(word, (Candidate(f"/{each.name} ", each.usage, each.summary) for each in commands.values()))
    slash = commands.get(name)
    kinds = {parameter.kind for parameter in slash.parameters} if slash is not None else set()
    if name == "room":
        kinds = {Kind.NAME, Kind.PERSON}
    if not word and not forced:
        return []
    found: list[Candidate] = []
    if Kind.SWITCH in kinds:
        found += [Candidate("on", "on"), Candidate("off", "off")]
    if kinds & _ROOMS and (word.startswith("#") or Kind.NAME in kinds or not kinds & _PEOPLE):
        sign = "" if word.startswith("#") else "#"
        found += [Candidate(each.insert.removeprefix(sign), each.shown) for each in _rooms(model)]
    if kinds & _PEOPLE and not word.startswith("#"):
        known = [*model.names(), *(name for name in sorted(model.people) if name not in model.names())]
        found += [Candidate(f"{person} ", person, _note(model, person)) for person in known]
    if name == "help":
        found += [Candidate(each, each, commands[each].summary) for each in commands]
    return _matching(word.removeprefix("@"), found)


def _rooms(model: Model) -> list[Candidate]:
    rooms = sorted(model.rooms.values(), key=lambda room: -room.last_time)
    titles = [room_title(room) for room in rooms]
    return [Candidate(f"{title} ", title) for title in titles if title.startswith("#")]


def _matching(word: str, candidates: Iterable[Candidate]) -> list[Candidate]:
    wanted = word.lower()
    return [each for each in candidates if each.insert.lower().startswith(wanted)]


def _note(model: Model, name: str) -> str:
    person = model.people.get(name)
    return "" if person is None else ("online" if person.online else "")
