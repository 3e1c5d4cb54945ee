"""Thin skins over the client: line mode, terminal UI, JSON."""
