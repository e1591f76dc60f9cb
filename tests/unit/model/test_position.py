from __future__ import annotations

import pytest

from dupscope.model.position import (
    MAX_PARTITIONS,
    Partition,
    PartitionTable,
    TooManyPartitionsError,
    offset_of,
    pack,
    slot_of,
)


def partition(number: int = 0, topic_id: str = "id-1", log: int = 0) -> Partition:
    return Partition(log, "cluster", topic_id, "payments", "payments", number)


class TestPack:
    @pytest.mark.parametrize(("slot", "offset"), [(0, 0), (3, 41), (MAX_PARTITIONS - 1, (1 << 47) - 1)])
    def test_both_parts_come_back(self, slot, offset):
        packed = pack(slot, offset)
        assert (slot_of(packed), offset_of(packed)) == (slot, offset)
        assert 0 < packed < 1 << 64


class TestPartitionTable:
    def test_a_partition_keeps_its_slot(self):
        table = PartitionTable()
        assert [table.slot(partition(n)) for n in (0, 1, 0)] == [0, 1, 0]
        assert len(table) == 2

    def test_a_topic_created_again_has_slots_of_its_own(self):
        table = PartitionTable()
        assert table.slot(partition(topic_id="id-1")) != table.slot(partition(topic_id="id-2"))

    def test_by_name_the_newest_is_found(self):
        table = PartitionTable()
        table.slot(partition(topic_id="id-1"))
        newest = table.slot(partition(topic_id="id-2"))
        assert table.find(0, "payments", 0) == newest
        assert table.find(0, "payments", 1) is None
        assert table.find(1, "payments", 0) is None

    def test_it_knows_the_namesakes_of_a_topic_that_were_deleted_before_it(self):
        table = PartitionTable()
        assert not table.recreated
        slots = [table.slot(partition(topic_id=f"id-{number}")) for number in range(3)]
        other = table.slot(partition(1))
        assert table.earlier(slots[2]) == (slots[1], slots[0])
        assert (table.earlier(slots[0]), table.earlier(other)) == ((), ())
        assert table.recreated

    def test_numbers_follow_the_table_as_it_grows(self):
        table = PartitionTable()
        table.slot(partition(7))
        assert table.numbers().tolist() == [7]
        table.slot(partition(3, log=1))
        assert table.numbers().tolist() == [7, 3]
        assert (table.slots_of(0), table.slots_of(1), table.slots_of(2)) == ([0], [1], [])

    def test_a_position_is_shown_in_full(self):
        table = PartitionTable()
        table.slot(partition(3))
        assert str(table.position(pack(0, 42))) == "payments[3]@42"
        assert table.position(pack(0, 42)).topic_id == "id-1"

    def test_more_partitions_than_positions_can_number_are_refused(self):
        table = PartitionTable([partition()] * MAX_PARTITIONS)
        with pytest.raises(TooManyPartitionsError, match="65536 partitions; split it"):
            table.slot(partition(9))
