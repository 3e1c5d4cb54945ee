"""Two forms of one log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from secure_chat.server import log

logger = logging.getLogger("secure_chat.server.anything")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger("secure_chat")
    before = (root.handlers[:], root.level, root.propagate)
    yield
    root.handlers[:], level, root.propagate = before
    root.setLevel(level)


def test_machines_get_one_json_object_a_line() -> None:
    """With the exception, where there is one."""
    stream = io.StringIO()
    log.configure("json", "info", stream)
    logger.debug("not shown")
    logger.info("listening on %s", "here")
    try:
        raise ValueError("inside")
    except ValueError:
        logger.exception("failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "anything", "listening on here")
    assert first["time"].endswith("Z")
    assert "ValueError: inside" in second["exception"]


def test_people_get_a_line() -> None:
    """The level shows only where it matters; a stream that is no terminal gets JSON unless told otherwise."""
    stream = io.StringIO()
    log.configure("human", "info", stream)
    logger.info("listening")
    logger.error("broken")
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("  listening")
    assert lines[1].endswith("  error: broken")
    plain = io.StringIO()
    log.configure("auto", "info", plain)
    logger.info("x")
    assert json.loads(plain.getvalue())["message"] == "x"
