"""The relay: stores and forwards opaque envelopes in append-only channels; never sees content."""
