"""The list of rooms and people at the left."""
