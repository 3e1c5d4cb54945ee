"""The first run: one question at a time, and what is wrong is said where it was typed."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from secure_chat.client.api import Client
from secure_chat.client.vault import Lock
from secure_chat.errors import SecureChatError
from secure_chat.identity.errors import InviteLinkError
from secure_chat.identity.handle import require_handle
from secure_chat.identity.invite import InviteLink
from secure_chat.ui.presenter import describe_failure
from secure_chat.ui.tui.fields import Field
from secure_chat.ui.tui.first_run.steps import STEPS, Step, lock_items
from secure_chat.ui.tui.lists import LineList
from secure_chat.ui.tui.status.keys import KeyLine

if TYPE_CHECKING:
    from secure_chat.ui.tui.app import ChatApp

__all__ = ["FirstRun"]


class FirstRun(Screen[None]):
    """Ends by handing the joined client to the app."""

    CSS_PATH = Path(__file__).with_name("first_run.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,ctrl+j", "next", "Next", key_display="⏎"),
        Binding("escape", "back", "Back", key_display="Esc"),
        Binding("f4", "code", "Recovery code", key_display="F4"),
        Binding("f5", "copy", "Copy", key_display="F5"),
        Binding("f1", "plain", "Line mode (screen readers)", key_display="F1"),
        Binding("ctrl+q", "app.quit", "Quit", key_display="^Q"),
    ]

    app: "ChatApp"

    def __init__(self, profile: str, link: str) -> None:
        super().__init__()
        self._profile = profile
        self._link = link
        self._handle = ""
        self._code: str | None = None
        self._lock = Lock.KEY_FILE
        self._passphrase: str | None = None
        self._client: Client | None = None
        self._recovery = ""
        self.step = Step.LINK

    def compose(self) -> ComposeResult:
        """One box whose words change."""
        with Vertical(id="first"):
            yield Static(Text("secure-chat"), id="brand")
            yield Static(id="title")
            yield Static(id="words")
            yield Field(compact=True, id="answer")
            yield LineList(id="locks", surface="background")
            yield Static(id="problem")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begins with what is not known yet."""
        self.query_one("#locks", LineList).show(lock_items())
        if self._link:
            self._enter(Step.NAME if self._good_link(self._link) else Step.LINK)
        else:
            self._enter(Step.LINK)

    # --- steps

    def _enter(self, step: Step, problem: str = "") -> None:
        self.step = step
        said = STEPS[step]
        mark = f"{said.number} of 5 · " if step is not Step.JOINING else ""
        self.query_one("#title", Static).update(Text(f"{mark}{said.title}"))
        words = said.words + (f"\n\n{_two_lines(self._recovery)}\n\nF5 copies it; Enter: I have written it down."
                              if step is Step.RECOVERY else "")  # fmt: skip
        self.query_one("#words", Static).update(Text(words))
        answer = self.query_one("#answer", Input)
        answer.display = bool(said.placeholder)
        answer.placeholder = said.placeholder
        answer.password = said.secret
        answer.value = {Step.LINK: self._link, Step.NAME: self._handle}.get(step, "")
        answer.cursor_position = len(answer.value)
        locks = self.query_one("#locks", LineList)
        locks.display = step is Step.LOCK
        self._complain(problem)
        if said.placeholder:
            answer.focus()
        elif step is Step.LOCK:
            locks.focus()
        else:
            self.set_focus(None)
        self.refresh_bindings()

    def _complain(self, problem: str) -> None:
        self.query_one("#problem", Static).update(Text(problem and f"! {problem}"))

    @on(Input.Submitted)
    def action_next(self) -> None:
        """Takes what was typed to the next step."""
        typed = self.query_one("#answer", Input).value
        try:
            self._take(typed)
        except SecureChatError as error:
            self._complain(describe_failure(error))

    def _take(self, typed: str) -> None:
        match self.step:
            case Step.LINK:
                self._link = typed.strip().strip("'\"")
                InviteLink.parse(self._link)
                self._enter(Step.NAME)
            case Step.NAME:
                self._handle = require_handle(typed.strip().lower())
                self._enter(Step.LOCK)
            case Step.CODE:
                self._code = typed.strip()
                self._enter(Step.NAME)
            case Step.PASSPHRASE:
                self._passphrase = typed
                self._enter(Step.AGAIN) if typed else self._complain("an empty passphrase locks nothing")
            case Step.AGAIN if typed == self._passphrase:
                self._join()
            case Step.AGAIN:
                self._enter(Step.PASSPHRASE, "they differ; once more")
            case Step.RECOVERY if self._client is not None:
                self.app.run_worker(asyncio.to_thread(self._client.recovery_code_seen))
                self.app.joined(self._client)
            case _:
                pass

    @on(LineList.Picked)
    def _picked(self, event: LineList.Picked) -> None:
        self._lock = Lock(event.key)
        self._passphrase = None
        if self._lock is Lock.PASSPHRASE:
            self._enter(Step.PASSPHRASE)
        else:
            self._join()

    @work(exclusive=True)
    async def _join(self) -> None:
        self._enter(Step.JOINING)
        try:
            client = await asyncio.to_thread(
                Client.join,
                self._link,
                self._handle,
                profile=self._profile,
                passphrase=self._passphrase,
                lock=self._lock,
                recovery_code=self._code,
            )
        except SecureChatError as error:
            self._enter(_where(error), describe_failure(error))
            return
        self._client = client
        self.app.client = client  # whatever happens now, it is closed at the end
        self._recovery = await asyncio.to_thread(client.recovery_code)
        self._enter(Step.RECOVERY)

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense in this step."""
        match action:
            case "back":
                return self.step not in (Step.LINK, Step.JOINING, Step.RECOVERY)
            case "code":
                return self.step is Step.NAME
            case "copy":
                return self.step is Step.RECOVERY
            case "next":
                return self.step is not Step.JOINING
            case _:
                return True

    def action_back(self) -> None:
        """The step before."""
        before = {Step.NAME: Step.LINK, Step.CODE: Step.NAME, Step.LOCK: Step.NAME}
        self._enter(before.get(self.step, Step.LOCK))

    def action_code(self) -> None:
        """A recovery code instead of a new account."""
        self._handle = self.query_one("#answer", Input).value
        self._enter(Step.CODE)

    def action_copy(self) -> None:
        """The recovery code into the clipboard."""
        self.app.copy_to_clipboard(self._recovery)
        self._complain("copied, where the terminal allows it; a clipboard is no safe place for long")

    def action_plain(self) -> None:
        """The same questions in plain text."""
        self.app.exit("plain")

    def _good_link(self, link: str) -> bool:
        try:
            InviteLink.parse(link)
        except InviteLinkError:
            return False
        return True


def _where(error: SecureChatError) -> Step:
    """The step at which a failure can be mended."""
    return Step.LINK if isinstance(error, InviteLinkError) else Step.NAME


def _two_lines(code: str) -> str:
    """The recovery code so that it also fits a narrow screen."""
    groups = code.split("-")
    half = len(groups) // 2
    return f"    {'-'.join(groups[:half])}-\n    {'-'.join(groups[half:])}"
