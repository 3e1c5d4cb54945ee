"""TLS contexts, sockets and deadlines: the only user of ssl and socket."""
