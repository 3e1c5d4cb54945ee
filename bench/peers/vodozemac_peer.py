"""Benchmarks vodozemac (Megolm: ratchet, AES, Ed25519 signature per message); runs in the peers' environment."""

import json
import time

import vodozemac

COUNT = 2000
results: dict[str, list[float]] = {"protect": [], "open": []}
sender = vodozemac.GroupSession()
receiver = vodozemac.InboundGroupSession(sender.session_key)
messages = []
for _ in range(COUNT):
    start = time.perf_counter()
    message = sender.encrypt(bytes(100)).to_bytes()
    results["protect"].append(time.perf_counter() - start)
    messages.append(message)
for message in messages:
    start = time.perf_counter()
    receiver.decrypt(vodozemac.MegolmMessage.from_bytes(message))
    results["open"].append(time.perf_counter() - start)
print(json.dumps(results))
