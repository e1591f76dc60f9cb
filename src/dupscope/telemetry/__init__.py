"""What the world sees of dupscope: metrics, the status page, probes and one log line per finding."""
