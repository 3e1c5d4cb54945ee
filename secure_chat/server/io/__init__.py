"""The relay's threads: front door (accept, handshake), data shard, reader and writer."""
