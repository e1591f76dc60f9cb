"""Metrics, the web server and log lines about findings."""
