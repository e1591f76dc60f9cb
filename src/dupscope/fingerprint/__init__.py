"""Business key to fingerprint: canonical form, keyed digest, tag."""
