"""The reader thread: serves logs from its own database connection, so that replays never hold up the writer."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from secure_chat.server.io.fanout import ChannelLog, ReadLog
from secure_chat.server.io.mail import LogRead
from secure_chat.server.io.shard import Shard

__all__ = ["LogReader", "ReaderThread"]

logger = logging.getLogger(__name__)


class LogReader(Protocol):
    """What the reader thread needs of the storage; used by that thread alone."""

    def read_after(self, channel: bytes, after: int, max_entries: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Entries after `after`, oldest first; at least one if there is any."""

    def close(self) -> None:
        """Ends the database connection."""


class ReaderThread:
    """Answers `ReadLog` with `LogRead`."""

    def __init__(self, open_reader: Callable[[], LogReader]) -> None:
        self._open_reader = open_reader
        self._jobs: queue.SimpleQueue[tuple[Shard, ReadLog] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self.entries = 0
        """Entries read so far."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def read(self, shard: Shard, job: ReadLog) -> None:
        """Asks for parts of logs; the answer goes to the shard."""
        self._jobs.put((shard, job))

    def stop(self) -> None:
        """Ends the thread."""
        self._jobs.put(None)

    def join(self, timeout: float | None = None) -> None:
        """Waits for the thread's end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        reader = self._open_reader()
        while (item := self._jobs.get()) is not None:
            shard, job = item
            try:
                logs = self._serve(reader, job)
            except Exception:
                logger.exception("reading the log failed")
                reader.close()
                reader = self._open_reader()
                shard.abandon(job.connection)
                continue
            shard.inbox.post(LogRead(job.connection, logs))
        reader.close()

    def _serve(self, reader: LogReader, job: ReadLog) -> list[ChannelLog]:
        logs: list[ChannelLog] = []
        max_entries, max_bytes = job.max_entries, job.max_bytes
        for channel, after in job.positions:
            entries: list[tuple[int, bytes]] = []
            complete = False
            while max_entries > 0 and max_bytes > 0:
                found = reader.read_after(channel, after, max_entries, max_bytes)
                if not found:
                    complete = True
                    break
                entries += found
                after = found[-1][0]
                max_entries -= len(found)
                max_bytes -= sum([len(frame) for _, frame in found])
            self.entries += len(entries)
            logs.append(ChannelLog(channel, entries, complete))
            if not complete:
                break
        return logs
