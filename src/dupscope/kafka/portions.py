"""Messages from the client, in portions that are bounded in number, time and rate."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, Message

from dupscope.kafka.clock import Clock
from dupscope.kafka.intake import PORTION_RECORDS
from dupscope.kafka.rate import RecordBudget

_SLICE_SECONDS = 0.02


class Portions:
    """Takes what a consumer has fetched. `max_records_per_second` bounds it over time; None does not."""

    def __init__(self, max_records_per_second: int | None, clock: Clock) -> None:
        self._clock = clock
        self._budget: RecordBudget | None = None
        if max_records_per_second is not None:
            self._budget = RecordBudget(max_records_per_second, clock)

    def take(
        self, client: Consumer, max_records: int, timeout_seconds: float, *, at_end: bool
    ) -> Iterator[list[Message]]:
        """Portions of messages until so many came or time is up; `at_end`: only what comes next."""
        limit = max_records
        if self._budget is not None:
            limit = min(limit, self._budget.available())
            if limit == 0:
                self._clock.sleep(min(timeout_seconds, self._budget.wait_seconds()))
        for messages in self._sliced(client, limit, timeout_seconds, at_end=at_end):
            yield messages
            if self._budget is not None:
                self._budget.spend(len(messages))

    def _sliced(
        self, client: Consumer, limit: int, timeout_seconds: float, *, at_end: bool
    ) -> Iterator[list[Message]]:
        """At the end of the log, wait for one message and take what came with it; before it, fill up.

        The client returns a short portion only when its time is up: that is why waits are sliced.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        if limit > 0 and at_end:
            messages = client.consume(1, timeout_seconds)
            yield messages
            limit = limit - 1 if messages else 0
            deadline = self._clock.monotonic()
        while limit > 0:
            left = max(deadline - self._clock.monotonic(), 0.0)
            wanted = min(limit, PORTION_RECORDS)
            messages = client.consume(wanted, min(left, _SLICE_SECONDS))
            yield messages
            limit -= len(messages)
            if len(messages) < wanted and (left <= 0 or (messages and messages[-1].error())):
                return
