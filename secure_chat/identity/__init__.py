"""Who is who: account keys, device certificates, directory bindings, fingerprints, invite links. Pure."""
