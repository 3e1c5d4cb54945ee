"""The local command socket, with real sockets and threads."""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.transport.errors import ConnectionLost, ListenError, LocalRefused, NobodyListens, TimedOut
from secure_chat.transport.local import MAX_CONNECTIONS, MAX_LINE, LocalConnection, LocalServer, connect_local

posix = pytest.mark.skipif(os.name != "posix", reason="Unix sockets")


def echo(connection: LocalConnection) -> None:
    """Answers each line with itself."""
    while (line := connection.receive_line()) is not None:
        connection.send_line(b"echo " + line)


@pytest.fixture(params=["unix", "token"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path for a Unix socket, and one too long for it, which takes the way of other systems."""
    if request.param == "unix":
        if os.name != "posix" or len(os.fsencode(tmp_path / "s")) > 100:
            pytest.skip("no Unix socket at this path")
        return tmp_path / "s"
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    return folder / "s"


@pytest.fixture
def serve(path: Path) -> Iterator[Callable[[Callable[[LocalConnection], None]], LocalServer]]:
    servers: list[LocalServer] = []

    def begin(behave: Callable[[LocalConnection], None]) -> LocalServer:
        servers.append(LocalServer(path, behave))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


Serve = Callable[[Callable[[LocalConnection], None]], LocalServer]


def test_lines_go_both_ways(path: Path, serve: Serve) -> None:
    """Several lines, an empty one, a large one, and the end."""
    serve(echo)
    connection = connect_local(path)
    for line in (b"one", b"", b"x" * 300_000):
        connection.send_line(line)
        assert connection.receive_line(20) == b"echo " + line
    connection.finish()
    assert connection.receive_line(20) is None
    connection.close()


def test_many_callers_at_once(path: Path, serve: Serve) -> None:
    """Each has its own conversation."""
    serve(echo)
    answers: dict[int, bytes | None] = {}

    def call(number: int) -> None:
        connection = connect_local(path)
        connection.send_line(b"%d" % number)
        answers[number] = connection.receive_line(20)
        connection.close()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {i: b"echo %d" % i for i in range(20)}


@posix
def test_path_is_for_its_owner_only(path: Path, serve: Serve) -> None:
    """0600, whatever the umask."""
    before = os.umask(0)
    try:
        serve(echo)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_an_owner_nobody_listens(path: Path) -> None:
    """No path, a stale path and nonsense at the path are the same to a caller."""
    with pytest.raises(NobodyListens):
        connect_local(path)
    for content in (b"", b"nonsense", b"99999999999 x", b"1 token"):
        path.write_bytes(content)
        with pytest.raises(NobodyListens):
            connect_local(path)


def test_stale_path_is_taken_over(path: Path, serve: Serve) -> None:
    """What a killed owner left is no obstacle for the next."""
    path.write_bytes(b"1 stale")
    serve(echo)
    connection = connect_local(path)
    connection.send_line(b"x")
    assert connection.receive_line(20) == b"echo x"
    connection.close()


def test_closing_ends_everything(path: Path, serve: Serve) -> None:
    """The path goes, waiting callers see the end, a second close does nothing."""
    server = serve(echo)
    connection = connect_local(path)
    connection.send_line(b"x")
    assert connection.receive_line(20) == b"echo x"
    server.close()
    server.close()
    assert not path.exists()
    with pytest.raises(NobodyListens):
        connect_local(path)
    with contextlib.suppress(ConnectionLost):
        assert connection.receive_line(20) is None
    connection.close()


def test_slow_owner_times_out(path: Path, serve: Serve) -> None:
    """A caller never hangs, and may go on afterwards."""
    release = threading.Event()

    def slow(connection: LocalConnection) -> None:
        line = connection.receive_line()
        release.wait(20)
        connection.send_line(line or b"")

    serve(slow)
    connection = connect_local(path)
    connection.send_line(b"late")
    with pytest.raises(TimedOut):
        connection.receive_line(0.05)
    release.set()
    assert connection.receive_line(20) == b"late"
    connection.close()


def test_endless_line_is_refused(path: Path, serve: Serve) -> None:
    """The owner keeps at most MAX_LINE bytes of a caller."""
    refused = threading.Event()

    def behave(connection: LocalConnection) -> None:
        try:
            connection.receive_line()
        except LocalRefused:
            refused.set()
            raise

    serve(behave)
    connection = connect_local(path)
    with contextlib.suppress(ConnectionLost):
        connection.send_line(b"x" * (MAX_LINE + 100_000))
    assert refused.wait(20)
    connection.close()


def test_line_end_inside_a_line_is_a_callers_mistake(path: Path, serve: Serve) -> None:
    """One call, one line."""
    serve(echo)
    connection = connect_local(path)
    with pytest.raises(ValueError, match="no line end"):
        connection.send_line(b"a\nb")
    connection.close()


def test_too_many_callers_are_turned_away(path: Path, serve: Serve) -> None:
    """The bound holds, and a place that becomes free can be taken."""
    serve(echo)
    connections = []
    for _ in range(MAX_CONNECTIONS):
        connection = connect_local(path)
        connection.send_line(b"x")
        assert connection.receive_line(20) == b"echo x"
        connections.append(connection)

    def served() -> bool:
        extra = connect_local(path)
        try:
            extra.send_line(b"x")
            return extra.receive_line(20) == b"echo x"
        except ConnectionLost:
            return False
        finally:
            extra.close()

    assert not served()
    connections.pop().close()
    for _ in range(1000):
        if served():
            break
    else:
        pytest.fail("the free place was never given")
    for connection in connections:
        connection.close()


def test_wrong_token_is_turned_away(tmp_path: Path) -> None:
    """Another user who finds the port has no token."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    server = LocalServer(folder / "s", echo)
    try:
        port = int((folder / "s").read_bytes().split()[0])
        for first in (b"wrong\n", b"\n"):
            with socket.create_connection(("127.0.0.1", port), 20) as raw:
                raw.sendall(first + b"hello\n")
                with contextlib.suppress(ConnectionError):
                    assert raw.recv(100) == b""
    finally:
        server.close()


def test_impossible_path_is_a_typed_error(tmp_path: Path) -> None:
    """A folder that is not there."""
    with pytest.raises(ListenError, match="nowhere"):
        LocalServer(tmp_path / "nowhere" / "s", echo)
