"""Who somebody is: account and device keys, certificates, bindings, fingerprints, invite links. Pure.

- An *account key* (Ed25519) is the person; its seed is the recovery code (`keys`).
- It signs a *device certificate* for each device key, the MLS signature key of that device's leaf
  (`certificate`).
- The relay's directory key signs a *binding* of handle and account key (`binding`).
- Certificate and binding together are the MLS basic credential (`credential`); any member checks it alone.
- People compare a *safety number* or QR (`fingerprint`) and join by an *invite link* (`invite`).
- Every signature outside MLS carries a purpose (`labels`); `login` says what proves a device to the relay.

Nothing here reads a clock, a file or a socket; times are POSIX seconds and are arguments.
"""

__all__: list[str] = []
