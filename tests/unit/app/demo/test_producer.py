from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from dupscope.app.demo import lists
from dupscope.app.demo.clusters import MockCluster
from dupscope.app.demo.producer import ProducerSettings, payments, send_all


class TestPayments:
    def test_same_seed(self) -> None:
        """The same seed gives the same payments."""
        assert payments(5, random.Random(1)) == payments(5, random.Random(1))


class TestSendAll:
    def test_list(self, tmp_path: Path) -> None:
        """Its list has every record once, and says which payments were sent again."""
        cluster = MockCluster("payments")
        sent = tmp_path / "sent.jsonl"
        settings = ProducerSettings(
            cluster.bootstrap_servers, "payments", str(sent), payments=250, resent=9, seed=1
        )
        with sent.open("a") as file:
            send_all(settings, file)
        lines = lists.read(sent)
        assert len({(line["partition"], line["offset"]) for line in lines}) == len(lines) == 259
        times = Counter(line["payment_id"] for line in lines)
        assert Counter(times.values()) == {1: 241, 2: 9}
        assert {line["payment_id"] for line in lines if line["again"]} == {
            payment for payment, count in times.items() if count == 2
        }
