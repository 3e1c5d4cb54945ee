"""The key schedule and the secret tree: RFC 9420 §8 and §9."""
