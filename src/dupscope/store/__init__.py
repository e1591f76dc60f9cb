"""What survives a cycle: one commit."""
