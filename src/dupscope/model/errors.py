"""Errors that a person can act on.

DupscopeError
├── ConfigError             the configuration, or a file that it names, is wrong
├── ClusterError            a cluster answers, but not as needed (topic absent, access denied)
└── StoreError              the state folder cannot be used as it is: another owner, a newer format
    ├── StoreDamagedError   what lies there is not what was written; it is set aside
    └── StoreUnwritableError  nothing can be written now (full, read-only); a later attempt may succeed
"""


class DupscopeError(Exception):
    """Base of all errors that end a command with a message and without a traceback."""


class ConfigError(DupscopeError):
    """What is wrong with a configuration: every problem, each with its file and path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ClusterError(DupscopeError):
    """A cluster cannot give what the configuration asks for."""


class StoreError(DupscopeError):
    """The stored state cannot be used, and a person must decide."""


class StoreDamagedError(StoreError):
    """The stored state is not what was written. `reason` is one word for a metric or a log line."""

    def __init__(self, message: str, reason: str = "damaged") -> None:
        super().__init__(message)
        self.reason = reason


class StoreUnwritableError(StoreError):
    """The store takes nothing now; everything in it stays as it was."""
