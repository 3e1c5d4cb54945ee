"""Everything a chat user can do, without a screen: pure engine, encrypted store, one I/O shell."""
