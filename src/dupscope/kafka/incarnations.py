"""Which slot each partition of a log has, while topics are deleted and created again."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dupscope.kafka.starts import TopicPartitionKey
from dupscope.kafka.topics import Incarnation
from dupscope.model.position import Partition, PartitionTable


class Incarnations:
    """The partitions that are read now, each of one incarnation of its topic.

    A topic's partitions are numbered under the id that it had then. An incarnation whose topic has another id
    is over: its slots are retired. They come back only with the same id, after a topic seemed to be deleted.
    """

    def __init__(self, log: int, table: PartitionTable) -> None:
        self._log = log
        self._table = table
        self.slots: dict[TopicPartitionKey, int] = {}
        self.ids: dict[str, str] = {}
        """Topic -> the id under which it is read now."""
        self.logical: dict[str, str] = {}
        self.retired: set[int] = set()

    def number(self, cluster_id: str, topic: str, logical: str, found: Incarnation) -> dict[int, Partition]:
        """Slots for those partitions of an incarnation that are not read yet. Takes none of them up."""
        fresh: dict[int, Partition] = {}
        for number in found.numbers:
            partition = Partition(self._log, cluster_id, found.topic_id, topic, logical, number)
            slot = self._table.slot(partition)
            if self.slots.get((topic, number)) != slot:
                fresh[slot] = partition
        return fresh

    def take(self, slot: int) -> Partition:
        """Read a slot from now on."""
        partition = self._table[slot]
        self.retired.discard(slot)
        self.slots[partition.topic, partition.number] = slot
        self.ids[partition.topic] = partition.topic_id
        self.logical[partition.topic] = partition.logical_topic
        return partition

    def stale(
        self, slots: Collection[int], found: Mapping[str, Incarnation], fresh: Collection[int] = ()
    ) -> set[int]:
        """Those of the slots whose incarnation is over, seen by what is found now.

        Also where their partition is to be read as another slot, one of `fresh`: in another cluster.
        """
        taken = {self.key(slot): slot for slot in fresh}
        stale = {slot for slot in slots if taken.get(self.key(slot), slot) != slot}
        for slot in slots:
            partition = self._table[slot]
            now = found.get(partition.topic)
            if partition.log == self._log and now is not None and now.topic_id != partition.topic_id:
                stale.add(slot)
        return stale

    def changed(self, found: Mapping[str, Incarnation]) -> dict[str, Incarnation]:
        """Those of the topics that have another id than the one under which they are read."""
        return {
            topic: now for topic, now in found.items() if self.ids.get(topic, now.topic_id) != now.topic_id
        }

    def retire(self, slots: Collection[int]) -> list[TopicPartitionKey]:
        """Read some slots no more. Returns which partitions of the cluster that ends."""
        self.retired.update(slots)
        over = [key for key, slot in self.slots.items() if slot in self.retired]
        for key in over:
            del self.slots[key]
        for topic in {topic for topic, _ in over} - {topic for topic, _ in self.slots}:
            del self.ids[topic], self.logical[topic]
        return over

    def key(self, slot: int) -> TopicPartitionKey:
        """A slot's partition, as the client names it."""
        partition = self._table[slot]
        return (partition.topic, partition.number)

    def have_ids(self, slots: Collection[int]) -> bool:
        """Whether some slots are of topics whose cluster told their ids."""
        return any(self._table[slot].topic_id != self._table[slot].topic for slot in slots)

    def cluster_of(self, slots: Collection[int]) -> str:
        """The id of the cluster that some slots were last found in; empty where that is not known."""
        return self._table[max(slots)].cluster_id if slots else ""

    def topics_of(self, slots: Collection[int]) -> set[str]:
        """The topics of some slots."""
        return {self._table[slot].topic for slot in slots}
