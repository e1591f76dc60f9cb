"""Who plays in the demo: two clusters, five processes, and the files that they keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dupscope.app.demo import lists
from dupscope.app.demo.children import FINISHED, KILLED, Child, Children, own
from dupscope.app.demo.clusters import MockCluster
from dupscope.app.demo.consumer import ConsumerSettings
from dupscope.app.demo.mirror import MirrorSettings
from dupscope.app.demo.producer import ProducerSettings

TOPIC, COPY = "payments", "primary.payments"
GROUP = "charger"
SEED = 20_261_123
PAYMENTS, RESENT = 3000, 124
OFFSETS_EVERY = 600
COMMIT_EVERY = 500


class Cast:
    """Starts each process with its settings. The clusters live as long as this object."""

    def __init__(self, folder: Path, children: Children) -> None:
        self._folder = folder
        self._children = children
        self._primary = MockCluster(TOPIC)
        self._dr = MockCluster(COPY)
        self.sent = folder / "sent.jsonl"
        self.copied = folder / "copied.jsonl"
        self.audit = folder / "audit.jsonl"

    def start_dupscope(self) -> Child:
        """The detector, as anybody would run it."""
        config = self._folder / "dupscope.yaml"
        config.write_text(yaml.safe_dump(self.configuration(), sort_keys=False))
        return self._children.start("dupscope-run", "dupscope", "run", "-c", str(config))

    def start_charge_server(self) -> Child:
        """What takes the money."""
        return self._children.start("charge-server", "dupscope.app.demo.charges")

    def start_producer(self) -> Child:
        """Sends all payments and ends."""
        settings = ProducerSettings(
            bootstrap=self._primary.bootstrap_servers,
            topic=TOPIC,
            sent=str(self.sent),
            payments=PAYMENTS,
            resent=RESENT,
            seed=SEED,
        )
        return self._children.start("producer", *own("producer", settings), planned_end=FINISHED)

    def start_mirror(self, die_after: int = 0) -> Child:
        """Copies, until it kills itself after so many records; with 0 until it is ended."""
        settings = MirrorSettings(
            source=self._primary.bootstrap_servers,
            destination=self._dr.bootstrap_servers,
            topic=TOPIC,
            copy=COPY,
            offsets=str(self._folder / "mirror-offsets.json"),
            copied=str(self.copied),
            store_every=OFFSETS_EVERY,
            die_after=die_after,
        )
        return self._children.start(
            "mirror", *own("mirror", settings), planned_end=KILLED if die_after else None
        )

    def start_consumer(self, charges: str, die_after: int = 0) -> Child:
        """Charges at that address, until it kills itself after so many records; with 0 until it is ended."""
        settings = ConsumerSettings(
            bootstrap=self._dr.bootstrap_servers,
            cluster="dr",
            topic=COPY,
            group=GROUP,
            charges=charges,
            audit=str(self.audit),
            commit_every=COMMIT_EVERY,
            die_after=die_after,
        )
        return self._children.start(
            "consumer", *own("consumer", settings), planned_end=KILLED if die_after else None
        )

    def configuration(self) -> dict[str, Any]:
        """dupscope.yaml."""
        return {
            "clusters": {
                "primary": {"bootstrap.servers": self._primary.bootstrap_servers},
                "dr": {"bootstrap.servers": self._dr.bootstrap_servers},
            },
            "pipelines": {
                "payments": {
                    "key": {"json": ["payment_id"]},
                    "start": "earliest",
                    "source": {"cluster": "primary", "topics": [TOPIC]},
                    "mirrors": {"to-dr": {"cluster": "dr", "topics": [COPY], "tool": "other"}},
                    "sinks": {
                        "charger": {"reads": ["to-dr"], "group": GROUP, "audit": {"file": str(self.audit)}}
                    },
                }
            },
            "state": {"path": str(self._folder / "state")},
            "web": {"listen": "127.0.0.1:0"},
        }


def positions(path: Path) -> int:
    """How many different positions a file's lines name."""
    return len({(line["partition"], line["offset"]) for line in lists.read(path)}) if path.exists() else 0
