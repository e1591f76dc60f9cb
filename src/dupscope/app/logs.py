"""How log lines look: one JSON object a line on standard error, fields in place of sentences."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import structlog

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: str) -> None:
    """Set up structlog for the process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def client_log() -> Callable[[str, str, str, int], None]:
    """Where the Kafka clients' own lines go."""
    logger = structlog.get_logger()

    def say(cluster: str, facility: str, text: str, suppressed: int) -> None:
        logger.info("kafka_client", cluster=cluster, facility=facility, text=text, suppressed=suppressed)

    return say
