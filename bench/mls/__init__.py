"""Benchmarks of the MLS core: `python -m bench.mls`; the peers once before by `--install-peers`."""
