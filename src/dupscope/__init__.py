"""dupscope: which layer made the duplicate, and why."""

__version__ = "0.1.0"
