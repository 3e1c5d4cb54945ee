"""The relay's storage on SQLite: one file, one writer, readers beside it."""
