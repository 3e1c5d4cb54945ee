"""What bounds the threads: sizes in bytes, times in seconds, each with its reason."""

__all__ = [
    "ACCEPTS_PER_TICK",
    "CLOSING_TIME",
    "EPHEMERAL_OUTPUT",
    "FRAMES_PER_TICK",
    "IN_FLIGHT_BYTES",
    "IN_FLIGHT_MESSAGES",
    "IN_FLIGHT_PER_CONNECTION",
    "LIVE_OUTPUT",
    "MAX_OUTPUT",
    "REPLAY_BYTES",
    "REPLAY_CHANNELS",
    "REPLAY_ENTRIES",
    "REPLAY_OUTPUT",
    "WRITE_SIZE",
]

ACCEPTS_PER_TICK = 64
"""New connections taken before handshakes go on: a flood of connects doesn't starve those under way."""
FRAMES_PER_TICK = 256
"""Frames decoded of one connection before the next has its turn."""
CLOSING_TIME = 5.0
"""A connection that is being closed may take this long to read what is still on its way."""

LIVE_OUTPUT = 512 * 1024
"""More than this waiting for a connection, and it reads the log at its own pace instead of getting live entries.
Rooms share their entries' bytes, so many slow members cost little more than one."""
EPHEMERAL_OUTPUT = 64 * 1024
"""With more than this waiting, typing notices are dropped: old when they would arrive."""
MAX_OUTPUT = 16 * 1024 * 1024
"""Answers that a connection asked for and doesn't read; past it the connection is closed."""
WRITE_SIZE = 256 * 1024
"""Encrypted and given to the kernel at once; the rest stays shared plaintext."""

REPLAY_OUTPUT = 128 * 1024
"""The next part of the log is read when less than this is waiting: the line never runs dry, memory stays small."""
REPLAY_BYTES = 512 * 1024
REPLAY_ENTRIES = 1024
"""Part of the log read at once for one connection."""
REPLAY_CHANNELS = 64
"""Channels looked at in one such read: a device in many quiet rooms catches up in few steps."""

IN_FLIGHT_MESSAGES = 8192
IN_FLIGHT_BYTES = 32 * 1024 * 1024
"""Handed to the writer and not yet on disk; past it connections are not read, so that TCP slows the senders."""
IN_FLIGHT_PER_CONNECTION = 1024
"""The same for one connection: nobody fills the writer's queue alone."""
