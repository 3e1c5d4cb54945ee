"""Where stories are played: in the deployment of one thread, or with the relay and every client as processes."""

import itertools
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from secure_chat.client.commands import Command
from secure_chat.client.encoding import decode_event, decode_result, encode_command
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import Event, FailureCode, Result
from secure_chat.client.queries import GetHistory
from tests.people import environment, invite_link, program
from tests.relay_process import RelayProcess, running, wait_until
from tests.scenarios.harness import Node, World, world
from tests.scenarios.invariants import check_all

__all__ = ["in_one_thread", "in_processes"]

E = TypeVar("E", bound=Event)
SOON = 120_000
"""Milliseconds of the simulated clock."""
DEADLINE = 90.0
"""Seconds of the real one, on a busy machine."""


class SimulatedPerson:
    """A client engine of the harness."""

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self._node = node
        self._since = 0

    def do(self, command: Command) -> Result:
        if isinstance(command, GetHistory):  # the shell reads it from the store, without the engine
            return self._node.store.history(self._node.engine.room_id(command.room), command.limit)
        return self._node.do(command)

    def fails(self, command: Command) -> FailureCode:
        return self._node.fails(command)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self._node.events[self._since :] if isinstance(event, kind)]

    def kill(self) -> None:
        self._node.offline = True
        self._node.crash()
        self._since = len(self._node.events)

    def start(self) -> None:
        self._node.go_online()


class SimulatedStage:
    """The deployment of one thread."""

    def __init__(self, deployment: World) -> None:
        self._world = deployment

    def join(self, name: str) -> SimulatedPerson:
        return SimulatedPerson(self._world.join(name))

    def until(self, condition: Callable[[], object], what: str) -> None:
        self._world.run_until(lambda: bool(condition()), SOON, what)

    def kill_relay(self) -> None:
        self._world.crash_relay(SOON)

    def start_relay(self) -> None:
        self._world.start_relay()


@contextmanager
def in_one_thread() -> Iterator[SimulatedStage]:
    """Every promise is checked at every event, and once more in the end."""
    with world() as deployment:
        yield SimulatedStage(deployment)
        deployment.settle(SOON)
        check_all(list(deployment.nodes.values()))


class RealPerson:
    """`secure-chat client rpc` as a process: JSON-RPC on its standard input and output (docs/json.md)."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self._home = home
        self._refs = itertools.count(1)
        self._events: list[Event] = []
        self._answers: SimpleQueue[dict[str, object]] = SimpleQueue()
        self._process: subprocess.Popen[str] | None = None

    def join(self, link: str) -> None:
        """Makes the profile, as a person would."""
        command = program("client", "join", link, "--name", self.name, "--no-passphrase", "--no-chat", "--json")
        environ = environment(self._home)
        subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=DEADLINE)

    def do(self, command: Command) -> Result:
        method, params = encode_command(command)
        return decode_result(command, self._call(method, params))

    def fails(self, command: Command) -> FailureCode:
        try:
            result = self.do(command)
        except CommandFailed as error:
            return error.code
        raise AssertionError(f"{command} succeeded: {result}")

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in list(self._events) if isinstance(event, kind)]

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self.close()

    def start(self) -> None:
        self._events = []
        self._answers = SimpleQueue()
        self._process = subprocess.Popen(
            program("client", "rpc"),
            env=environment(self._home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, args=(self._process, self._events, self._answers), daemon=True).start()
        self._call("subscribe", {})

    def close(self) -> None:
        """Ends the process if it runs, and releases its pipes."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait(DEADLINE)

    def _call(self, method: str, params: object) -> object:
        assert self._process is not None
        assert self._process.stdin is not None
        ref = next(self._refs)
        request = {"jsonrpc": "2.0", "id": ref, "method": method, "params": params}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answers.get(timeout=DEADLINE)
        assert answer.get("id") == ref, answer
        if "error" in answer:
            error = answer["error"]
            assert isinstance(error, dict)
            raise CommandFailed(FailureCode(error["data"]["code"]), error["message"])
        return answer["result"]

    @staticmethod
    def _read(process: "subprocess.Popen[str]", events: list[Event], answers: "SimpleQueue[dict[str, object]]") -> None:
        assert process.stdout is not None
        with process.stdout:
            for text in process.stdout:
                line = json.loads(text)
                if "id" in line:
                    answers.put(line)
                elif line["method"] == "event":
                    event = decode_event(line["params"])
                    assert event is not None, line
                    events.append(event)


class RealStage:
    """`secure-chat server`, and everybody's client, as processes; TLS between them."""

    def __init__(self, relay: RelayProcess, folder: Path) -> None:
        self._relay = relay
        self._folder = folder
        self.people: list[RealPerson] = []

    def join(self, name: str) -> RealPerson:
        home = self._folder / name
        home.mkdir()
        person = RealPerson(name, home)
        self.people.append(person)
        person.join(invite_link(self._relay))
        person.start()
        return person

    def until(self, condition: Callable[[], object], what: str) -> None:
        wait_until(lambda: bool(condition()), what, DEADLINE)

    def kill_relay(self) -> None:
        self._relay.kill()

    def start_relay(self) -> None:
        self._relay.start(port=self._relay.address[1])


@contextmanager
def in_processes(folder: Path) -> Iterator[RealStage]:
    """In the end the relay must stop by itself, without an error in its log."""
    with running(folder) as relay:
        stage = RealStage(relay, folder)
        try:
            yield stage
        finally:
            for person in stage.people:
                person.close()
