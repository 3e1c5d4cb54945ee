"""Trust: comparing safety numbers, and what happens when a key has changed."""
