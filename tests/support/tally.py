"""What has been planted so far, as series of the metrics that may show it."""

from __future__ import annotations

import threading
from collections import Counter

from support.dupscope_process import Series, series


class Tally:
    """Counts by series. A deed is noted before it is done, so that no scrape can show it earlier."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._counts: Counter[Series] = Counter()
        self._lock = threading.Lock()

    def note(self, name: str, count: int = 1, **labels: str) -> None:
        """`count` more of a metric's series."""
        if count:
            with self._lock:
                self._counts[series(name, pipeline=self._pipeline, **labels)] += count

    def now(self) -> Counter[Series]:
        """All counts at this moment."""
        with self._lock:
            return Counter(self._counts)

    def layers(self) -> Counter[str]:
        """Duplicates noted by layer."""
        found: Counter[str] = Counter()
        for (name, labels), count in self.now().items():
            if name == "dupscope_duplicates_total":
                found[dict(labels)["layer"]] += count
        return found
