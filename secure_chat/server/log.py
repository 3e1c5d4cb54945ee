"""The relay's log: one line for people on a terminal, one JSON object otherwise, on standard error.

What is logged says what happened, never to whom: no content, no key, no token, and peers' addresses only when asked.
"""

import json
import logging
import sys
import time
from typing import Literal, TextIO

__all__ = ["configure"]


class _Human(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        text = f"{clock}  {level}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("secure_chat.server."),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(style: Literal["auto", "human", "json"], level: str, stream: TextIO | None = None) -> None:
    """Sets up the log of this process; calling it again replaces what was set."""
    target = stream or sys.stderr
    human = style == "human" or (style == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(_Human() if human else _Json())
    root = logging.getLogger("secure_chat")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
