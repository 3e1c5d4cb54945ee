"""Where plaintexts, names of closed rooms and keys must not be, in a whole deployment of real processes over real TLS.

Three people chat, with every front end, through a tap that has the server's own key. Then everything is searched: the
relay's database, log, metrics and memory, the decrypted stream, the bytes on the wire, the clients' files. In each
place something that is known to stand there is found by the same search, which proves the search.
"""

import base64
import json
import queue
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from secure_chat import certificates
from secure_chat.identity.invite import InviteLink
from tests.e2e.canaries import files_below, found_in, memory_of, places, spellings
from tests.e2e.secrets_of import contents_of, keys_of, opened
from tests.e2e.tap import Tap
from tests.people import environment, program
from tests.relay_process import RelayProcess, running, wait_until
from tests.terminal import Terminal

pytestmark = pytest.mark.timeout(400)  # three people's whole conversation, and a search through everything

PATIENCE = 60.0
"""Seconds until an answer must have come; a busy machine is slow."""

ROOM = "canary-ibis-nest"
RENAMED = "canary-heron-nest"
PLAINTEXTS = {
    "message in #lobby": "canary-quetzal-in-the-lobby",
    "message in a closed room": "canary-kestrel-in-the-closed-room",
    "closed room's name": ROOM,
    "closed room's later name": RENAMED,
    "direct message": "canary-osprey-between-us",
    "message before it was edited": "canary-dunlin-first-version",
    "edit": "canary-avocet-second-version",
    "reaction": "🦆🦚🦢🦩",
    "reply": "canary-plover-in-reply",
    "deleted message": "canary-curlew-to-be-deleted",
    "message sent by a command": "canary-godwit-from-the-shell",
    "words searched for": "canary-bittern-sought",
    "message from the screen": "canary-smew-on-the-screen",
    "draft that is never sent": "canary-twite-in-a-draft",
}
"""What people wrote: known to nobody but members, and on their disks to nobody without the key."""
FORGOTTEN = (
    "closed room's name",
    "message before it was edited",
    "deleted message",
    "words searched for",
    "draft that is never sent",
)
"""Which of them nobody's store has to hold at the end."""
PASSPHRASE = "canary-shrike-opens-the-store"
BACKUP_PASSPHRASE = "canary-wryneck-opens-the-backup"
OPEN_ROOM = "control-magpie"
"""The name of an open room: the relay knows it, so that it has to be found there."""
TEXTS: dict[str, str | bytes] = {
    **PLAINTEXTS,
    "passphrase": PASSPHRASE,
    "backup's passphrase": BACKUP_PASSPHRASE,
}
PERSON = "control-jackdaw"
"""A handle: the relay knows it, too."""
FOLDER = "control-rook"
"""Of the relay's data: its log names it."""


class Rpc:
    """A person who lives in a `secure-chat client rpc` process."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            program("client", "rpc", *arguments),
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.events: list[dict[str, Any]] = []
        self._calls = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self("subscribe")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def __call__(self, method: str, **parameters: object) -> Any:
        """A call's result."""
        assert self._process.stdin is not None
        self._calls += 1
        call = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": parameters}
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        while True:
            line = self._next()
            if line.get("id") == self._calls:
                assert "error" not in line, line
                return line["result"]

    def event(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first event, of those so far and those to come, for which this holds."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if wanted(event):
                    return event
            seen = len(self.events)
            self._next()

    def hears(self, text: str) -> str:
        """Waits for a message with this text; its id."""
        added = self.event(lambda e: e["event"] == "message_added" and e["message"]["text"] == text)
        return str(added["message"]["id"])

    def sends(self, room: str, text: str) -> str:
        """Sends a message and waits until the relay has it; its id."""
        message = str(self("send", room=room, text=text))
        wait_until(lambda: self("get_message", message=message)["state"] in ("sent", "delivered", "read"), text)
        return message

    def _next(self) -> dict[str, Any]:
        line = self._lines.get(timeout=PATIENCE)
        if line.get("method") == "event":
            self.events.append(line["params"])
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._process.stdout.close()


@dataclass
class Evidence:
    """What was there to be searched, taken at the end of the conversation."""

    database: dict[str, bytes]
    log: dict[str, bytes]
    memory_finds: list[str] | str
    """In the running relay's memory, of everything that is nobody's business; or why that can't be looked at."""
    memory_control: list[str] | str
    to_relay: bytes
    to_clients: bytes
    on_the_wire: bytes
    homes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Each person's files, while their client was running."""
    closed_homes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """The same afterwards."""
    keys: dict[str, bytes] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    """What stands in each person's store, decrypted."""
    key_files: dict[str, bytes] = field(default_factory=dict)


def link(relay: RelayProcess, tap: Tap) -> str:
    """An invite whose address is the tap's."""
    pin = certificates.load(relay.data / "certs").pin
    return str(InviteLink("127.0.0.1", tap.port, pin, relay.invite(1)))


def command(home: Path, *arguments: str) -> Any:
    """One subcommand's result."""
    done = subprocess.run(
        program("client", *arguments, "--json"), env=environment(home), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done
    return json.loads(done.stdout)["result"]


def converse(alice: Terminal, bob: Rpc, homes: dict[str, Path]) -> None:
    """Everything that is searched for later is said, by every front end."""
    alice.enter(PLAINTEXTS["message in #lobby"])
    bob.hears(PLAINTEXTS["message in #lobby"])
    bob("join_room", name=OPEN_ROOM)

    alice.enter(f"/create {ROOM}")
    alice.wait_for(f"-- #{ROOM}: 1 person")
    alice.enter("/invite bob")
    invitation = bob.event(lambda e: e["event"] == "invited")["invitation"]
    bob("accept_invitation", room=invitation["room"])
    room = invitation["room"]
    alice.enter(PLAINTEXTS["message in a closed room"])
    heard = bob.hears(PLAINTEXTS["message in a closed room"])
    bob("typing", room=room)
    bob("react", message=heard, emoji=PLAINTEXTS["reaction"])
    bob("send", room=room, text=PLAINTEXTS["reply"], reply_to=heard)
    edited = bob.sends(room, PLAINTEXTS["message before it was edited"])
    bob("edit", message=edited, text=PLAINTEXTS["edit"])
    deleted = bob.sends(room, PLAINTEXTS["deleted message"])
    bob("delete", message=deleted)
    bob("mark_read", room=room)
    bob("refresh_keys", room=room)
    alice.wait_for("bob:", PLAINTEXTS["reply"], PLAINTEXTS["edit"])
    alice.enter(f"/rename {RENAMED}")
    bob.event(lambda e: e["event"] == "room_changed" and e["room"]["name"] == RENAMED)
    bob("search", text=PLAINTEXTS["words searched for"])

    bob("start_direct", handle="alice")
    bob.sends("alice", PLAINTEXTS["direct message"])
    alice.wait_for(PLAINTEXTS["direct message"])
    sent = command(homes["carol"], "send", "#lobby", PLAINTEXTS["message sent by a command"])
    assert sent["state"] in ("sent", "delivered", "read")
    bob.hears(PLAINTEXTS["message sent by a command"])
    with Terminal(program("client"), env=environment(homes["carol"])) as screen:
        screen.wait_for("#lobby", "connected", "Message")
        screen.press(PLAINTEXTS["message from the screen"] + "\r")
        bob.hears(PLAINTEXTS["message from the screen"])
        screen.press(PLAINTEXTS["draft that is never sent"])
        screen.wait_for(PLAINTEXTS["draft that is never sent"])
        screen.press("\x11")  # Ctrl-Q
        assert screen.wait() == 0
    bob("backup", path=str(homes["bob"] / "backup"), passphrase=BACKUP_PASSPHRASE)


def memory_search(relay: RelayProcess, texts: dict[str, str | bytes], keys: dict[str, bytes]) -> list[str] | str:
    """What of this the running relay holds in its memory, texts in every form, keys as they are; or why it can't."""
    try:
        finds = found_in(memory_of(relay.pid), texts)
        for chunk in memory_of(relay.pid):
            finds += [name for name, key in keys.items() if key in chunk]
    except (PermissionError, FileNotFoundError) as error:
        return f"the memory of another process can't be read here: {error}"
    return finds


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    base = tmp_path_factory.mktemp("canary")
    scratch = base / "scratch"
    folder = base / FOLDER
    homes = {name: base / name for name in ("alice", "bob", "carol")}
    for path in (scratch, folder, *homes.values()):
        path.mkdir()
    passphrases = {"alice": PASSPHRASE, "bob": None, "carol": None}
    profiles = {name: home / "profiles" / "default" for name, home in homes.items()}
    with running(folder, "--log-level", "debug", settings={"log_addresses": "true", "metrics": "127.0.0.1:0"}) as relay:
        with Tap(relay) as tap:
            for name, handle in (("bob", "bob"), ("carol", PERSON)):
                command(homes[name], "join", link(relay, tap), "--name", handle, "--no-passphrase")
            join = program("client", "--plain", link(relay, tap), "--name", "alice")
            with Terminal(join, env=environment(homes["alice"])) as alice, Rpc(homes["bob"]) as bob:
                alice.wait_for("Passphrase for this computer")
                alice.enter(PASSPHRASE)
                alice.wait_for("gain")
                alice.enter(PASSPHRASE)
                alice.wait_for("#lobby>")
                converse(alice, bob, homes)
                keys: dict[str, bytes] = {}
                for name, profile in profiles.items():
                    with opened(profile, scratch, passphrases[name]) as store:
                        keys |= {f"{name}'s {key}": value for key, value in keys_of(store).items()}
                key_files = {name: (profiles[name] / "vault.key").read_bytes() for name in ("bob", "carol")}
                keys |= {f"{name}'s key file": value for name, value in key_files.items()}
                with urllib.request.urlopen(relay.metrics_address, timeout=10) as answer:
                    metrics = answer.read()
                evidence = Evidence(
                    database={name: data for name, data in files_below(folder).items() if ".sqlite" in name},
                    log={"metrics": metrics},
                    memory_finds=memory_search(relay, TEXTS, keys),
                    memory_control=memory_search(relay, {"open room": OPEN_ROOM, "person": PERSON}, {}),
                    to_relay=b"",
                    to_clients=b"",
                    on_the_wire=b"",
                    homes={name: files_below(home) for name, home in homes.items()},
                    key_files=key_files,
                )
                alice.enter("/quit")
                assert alice.wait() == 0
        evidence.to_relay, evidence.to_clients, evidence.on_the_wire = tap.to_relay, tap.to_clients, tap.on_the_wire
        relay.stop()
        evidence.log |= {"log": "\n".join(map(json.dumps, relay.log)).encode(), "output": relay.output.encode()}
        evidence.database |= {f"{name}, stopped": data for name, data in files_below(folder).items()}
    for name, profile in profiles.items():
        evidence.closed_homes[name] = files_below(homes[name])
        with opened(profile, scratch, passphrases[name]) as store:
            known = set(keys.values())
            keys |= {f"{name}'s later {key}": value for key, value in keys_of(store).items() if value not in known}
            evidence.contents[name] = contents_of(store)
    evidence.keys = keys
    return evidence


def nobodys_business(evidence: Evidence) -> dict[str, str | bytes]:
    """Everything that nobody but the person, or the members of a room, may have."""
    return {**TEXTS, **evidence.keys}


def test_the_search_finds_every_form_of_a_word() -> None:
    """Whatever stands before and after it, and however it is written."""
    for before in range(4):
        for after in range(4):
            whole = bytes(range(before)) + b"\xffneedle\xfe" + bytes(after)
            for text in (whole, whole.hex().encode(), whole.hex().upper().encode()):
                assert found_in([text], {"it": b"\xffneedle\xfe"}), text
            assert found_in([base64.b64encode(whole)], {"it": b"\xffneedle\xfe"})
            assert found_in([base64.urlsafe_b64encode(whole)], {"it": b"\xffneedle\xfe"})
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
        assert found_in(["before needle 🦆 after".encode(encoding)], {"it": "needle 🦆"})
    assert not found_in([b"a needl", b"e in two pieces"], {"it": "needle"})
    assert len(spellings(b"needle")) == 9


def test_there_is_something_to_find(evidence: Evidence) -> None:
    """All that is searched for was really written, arrived, and lies in the stores of those whom it concerns."""
    for name, place in (("alice", evidence.contents["alice"]), ("bob", evidence.contents["bob"])):
        kept = {kind: text for kind, text in PLAINTEXTS.items() if kind not in FORGOTTEN}
        found = {line.partition(" (")[0] for line in found_in([place], kept)}
        assert found == set(kept), name
        assert not found_in([place], {kind: PLAINTEXTS[kind] for kind in ("deleted message", "words searched for")})
    assert sum("key package" in name for name in evidence.keys) >= 60
    assert sum("exporter secret" in name for name in evidence.keys) >= 6
    assert all(place in " ".join(evidence.keys) for place in ("lobby", "alice's bob", "bob's alice", RENAMED))


def test_the_relays_database_holds_nothing(evidence: Evidence) -> None:
    """While it runs, with its write-ahead log, and after it has stopped; names that it knows are found in both."""
    assert any(name.endswith("-wal") for name in evidence.database)
    control = places(evidence.database, {"open room": OPEN_ROOM, "person": PERSON})
    assert {line.split(": ")[1] for line in control} >= {"open room (bytes)", "person (bytes)"}
    assert places(evidence.database, nobodys_business(evidence)) == []


def test_the_relays_log_and_metrics_hold_nothing(evidence: Evidence) -> None:
    """At its most talkative, too; the control is the folder that it names when it starts."""
    assert found_in(evidence.log.values(), {"folder": FOLDER}) == ["folder (bytes)"]
    assert b"secure_chat_" in evidence.log["metrics"]
    needles = {**nobodys_business(evidence), "person": PERSON, "open room": OPEN_ROOM}
    assert places(evidence.log, needles) == []


def test_the_running_relays_memory_holds_nothing(evidence: Evidence) -> None:
    """Every readable byte of the process, after all had been said; what it may know is found there."""
    if isinstance(evidence.memory_control, str):
        pytest.skip(evidence.memory_control)
    assert {"open room (bytes)", "person (bytes)"} <= set(evidence.memory_control)
    assert evidence.memory_finds == []


def test_the_decrypted_stream_holds_nothing(evidence: Evidence) -> None:
    """What somebody reads who has the server's key, in both directions; what the relay may know is there."""
    for stream in (evidence.to_relay, evidence.to_clients):
        assert found_in([stream], {"open room": OPEN_ROOM, "person": PERSON}) == ["open room (bytes)", "person (bytes)"]
        assert found_in([stream], nobodys_business(evidence)) == []


def test_the_wire_does_not_even_show_what_the_relay_may_know(evidence: Evidence) -> None:
    """Without the server's key nothing is to be read at all: no handle, no open room, no authority's name."""
    assert len(evidence.on_the_wire) > len(evidence.to_relay) + len(evidence.to_clients)
    assert b"\x16\x03" in evidence.on_the_wire, "TLS handshakes are what was recorded"
    needles = {**nobodys_business(evidence), "person": PERSON, "open room": OPEN_ROOM, "lobby": "lobby"}
    assert found_in([evidence.on_the_wire], needles) == []


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_a_clients_files_hold_nothing(evidence: Evidence, name: str) -> None:
    """With a passphrase nothing is to be read; without one only the key file's own bytes are, in their own place.

    The whole home directory is searched, while the client ran and afterwards; the control is the vault's header.
    """
    for files in (evidence.homes[name], evidence.closed_homes[name]):
        assert "profiles/default/store.db" in files
        lock = "passphrase" if name == "alice" else "key_file"
        control = places(files, {"lock": f'"lock":"{lock}"'})
        assert control == ["profiles/default/vault.json: lock (bytes)"]
        finds = places(files, nobodys_business(evidence))
        own = [] if name == "alice" else [f"profiles/default/vault.key: {name}'s key file (bytes)"]
        assert finds == own


def test_a_backup_holds_nothing(evidence: Evidence) -> None:
    """It is among the files that were searched, and as long as what it holds."""
    assert len(evidence.closed_homes["bob"]["backup"]) > 1_000
    assert evidence.closed_homes["bob"]["backup"].startswith(b"backup\0secure-chat backup 1\n")
    assert places({"backup": evidence.closed_homes["bob"]["backup"]}, nobodys_business(evidence)) == []
