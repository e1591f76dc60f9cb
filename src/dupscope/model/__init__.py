"""Values that every room shares: columns, positions, topology, findings. Imports nothing of ours."""
