"""The names of the fuzz targets, importable without atheris."""

__all__ = ["TARGET_NAMES"]

TARGET_NAMES = (
    "mls_message",
    "key_package",
    "group_info",
    "welcome",
    "ratchet_tree",
    "stored_rows",
    "receive",
    "join",
    "join_external",
)
