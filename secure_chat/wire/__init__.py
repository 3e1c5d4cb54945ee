"""What client and relay say to each other: messages, framing, limits and error codes."""
