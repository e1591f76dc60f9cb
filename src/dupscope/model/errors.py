"""Errors that a person can act on.

DupscopeError
├── ConfigError        the configuration, or a file that it names, is wrong
└── ClusterError       a cluster answers, but not as needed (topic absent, access denied)
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
