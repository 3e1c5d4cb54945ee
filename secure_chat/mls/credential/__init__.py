"""Credentials and extensions: RFC 9420 §5.3, §11.1 and §13.4."""
