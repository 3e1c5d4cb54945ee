"""Completion by Tab: commands, rooms, and people, whoever spoke last first."""

from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from secure_chat.ui.arguments import Kind
from secure_chat.ui.line.keeping import LINE_SLASH
from secure_chat.ui.line.state import ChatState
from secure_chat.ui.presenter import room_title

__all__ = ["ChatCompleter"]

_KINDS = {
    Kind.ROOM: "room",
    Kind.NAME: "room",
    Kind.PERSON: "person",
    Kind.PEOPLE: "person",
    Kind.SWITCH: "switch",
}


class ChatCompleter(Completer):
    """Completes the last word before the cursor."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """The candidates for the word before the cursor."""
        before = document.text_before_cursor
        word = before.split(" ")[-1].split("\n")[-1]
        for candidate in self._candidates(before, word):
            if candidate.lower().startswith(word.lower()):
                yield Completion(candidate, start_position=-len(word))

    def _candidates(self, before: str, word: str) -> Iterable[str]:
        names = self._state.names()
        if not before.startswith("/") or before.startswith("//"):
            if word.startswith("#"):
                return self._rooms()
            if word.startswith("@"):
                return [f"@{name}" for name in names]
            return [f"{name}: " for name in names] if before == word else names
        command, *given = before[1:].split(" ")
        if not given:
            return [f"/{name} " for name in sorted(LINE_SLASH)]
        if command == "help":
            return sorted(LINE_SLASH)
        slash = LINE_SLASH.get(command)
        kinds = {_KINDS.get(parameter.kind, "") for parameter in slash.parameters} if slash else set()
        found: list[str] = []
        if "switch" in kinds:
            found += ["on", "off"]
        if "room" in kinds:
            found += self._rooms() if word.startswith("#") or "person" not in kinds else []
            found += [name.removeprefix("#") for name in self._rooms()] if "person" not in kinds else []
        if "person" in kinds:
            found += names
        return found

    def _rooms(self) -> list[str]:
        rooms = sorted(self._state.rooms.values(), key=lambda room: -room.last_time)
        return [room_title(room) for room in rooms if room_title(room).startswith("#")]
