"""Lines of one row: header, notices, status and keys."""
