"""Benchmarks of the client: `python -m bench.client`."""
