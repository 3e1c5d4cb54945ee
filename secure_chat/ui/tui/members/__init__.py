"""The people of the room at the right."""
