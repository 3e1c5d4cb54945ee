"""Structures that travel: RFC 9420 §6, §10, §12 and §15.1."""
