"""Wiring, the loop and the command line."""
