"""The messages of a room: a bounded window on the store, laid out in rows and drawn line by line."""
