"""Cipher suites, HPKE, labelled functions and secret types: RFC 9420 §5.1 and §5.2, RFC 9180."""
