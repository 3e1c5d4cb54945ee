"""The relay's decisions: pure and deterministic; messages in, effects out."""
