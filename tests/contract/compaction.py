"""Topics that a real broker compacts soon."""

from __future__ import annotations

from contract.clusters import KafkaContractCluster, new_topic

NOON = 1_700_000_000_000

QUICKLY_COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
    "min.compaction.lag.ms": "0",
}


def compacted_topic(cluster: KafkaContractCluster) -> str:
    """A new topic of one partition."""
    topic = new_topic()
    cluster.broker.create_topic(topic, 1, QUICKLY_COMPACTED)
    return topic


def stamped(offset: int, key: bytes) -> tuple:
    """A record whose timestamp tells its offset."""
    return (0, key, b"v", NOON + 1000 * offset)
