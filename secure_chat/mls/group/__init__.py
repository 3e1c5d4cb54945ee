"""The rules of a group: RFC 9420 §11, §12, §14 and §15.3."""
