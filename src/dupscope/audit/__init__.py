"""Audit logs of sinks: lines to effects."""
