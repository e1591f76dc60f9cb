"""Fetch the Kafka of tests/kafka into .tools ahead of the tests; DUPSCOPE_KAFKA_VERSION names another."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import artifacts

if __name__ == "__main__":
    print(artifacts.fetch(artifacts.kafka_version()))
