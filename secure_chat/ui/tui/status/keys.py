"""The footer: the keys that work here, most useful first; clickable."""

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.dom import DOMNode
from textual.strip import Strip
from textual.widget import Widget

from secure_chat.ui.tui import cells
from secure_chat.ui.tui.looks import Look, look_of

__all__ = ["KeyLine"]


class KeyLine(Widget):
    """Made from the bindings that are in force: help, then those of the focus, then those of the screen."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._places: list[tuple[int, int, str, DOMNode]] = []

    def on_mount(self) -> None:
        """Follows the focus."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    @property
    def look(self) -> Look:
        """The app's look."""
        return look_of(self)

    def render_line(self, y: int) -> Strip:
        """Key and word, as many as fit; F1 always."""
        width = self.size.width
        base = Style(color=self.look.dim, bgcolor=self.look.surface)
        if y:
            return Strip.blank(width, base)
        shown: dict[str, tuple[int, str, str, DOMNode]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in shown:
                key = binding.key_display or self.app.get_key_display(binding)
                rank = 0 if key == "F1" else 2 if active.node is self.screen else 1
                shown[binding.action] = (rank, key, binding.description, active.node)
        segments = [Segment(" ", base)]
        self._places = []
        at = 1
        for action, (_, key, description, node) in sorted(shown.items(), key=lambda item: item[1][0]):
            size = cells.cell_len(key) + cells.cell_len(description) + 3
            if at + size > width:
                break
            segments += [
                Segment(key, base + self.look.styles["key"]),
                Segment(f" {description}  ", base),
            ]
            self._places.append((at, at + size, action, node))
            at += size
        return Strip(segments).adjust_cell_length(width, base)

    async def on_click(self, event: events.Click) -> None:
        """Does what the key would do."""
        for start, end, action, node in self._places:
            if start <= event.x < end:
                await self.app.run_action(action, default_namespace=node)
