"""The client's decisions: pure; a command, a frame or a tick in, effects out."""
