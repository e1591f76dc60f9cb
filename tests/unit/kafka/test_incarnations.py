from __future__ import annotations

from dupscope.kafka.incarnations import Incarnations
from dupscope.kafka.topics import Incarnation
from dupscope.model.position import Partition, PartitionTable

LOG = 1


def taken(made: Incarnations, topic: str, found: Incarnation) -> list[int]:
    """Number an incarnation's partitions and read them."""
    slots = list(made.number("c", topic, "payments", found))
    for slot in slots:
        made.take(slot)
    return slots


class TestNumber:
    def test_each_partition_gets_a_slot_under_its_topics_id(self):
        table = PartitionTable()
        made = Incarnations(LOG, table)
        assert taken(made, "t", Incarnation("id", [0, 1])) == [0, 1]
        assert table[1] == Partition(LOG, "c", "id", "t", "payments", 1)
        assert made.slots == {("t", 0): 0, ("t", 1): 1}
        assert (made.ids, made.logical) == ({"t": "id"}, {"t": "payments"})

    def test_nothing_is_taken_up_by_numbering(self):
        made = Incarnations(LOG, PartitionTable())
        made.number("c", "t", "payments", Incarnation("id", [0]))
        assert (made.slots, made.ids) == ({}, {})

    def test_what_is_read_already_is_not_fresh(self):
        made = Incarnations(LOG, PartitionTable())
        taken(made, "t", Incarnation("id", [0]))
        assert list(made.number("c", "t", "payments", Incarnation("id", [0, 1]))) == [1]


class TestChanged:
    def test_another_id_is_another_incarnation(self):
        made = Incarnations(LOG, PartitionTable())
        taken(made, "t", Incarnation("id", [0]))
        taken(made, "u", Incarnation("same", [0]))
        found = {"t": Incarnation("new", [0]), "u": Incarnation("same", [0, 1])}
        assert made.changed(found) == {"t": found["t"]}

    def test_a_topic_that_is_missing_now_has_not_changed(self):
        made = Incarnations(LOG, PartitionTable())
        taken(made, "t", Incarnation("id", [0]))
        assert made.changed({}) == {}
        assert made.stale([0], {}) == set()


class TestRetire:
    def test_a_stale_slot_ends_and_its_partition_gets_another(self):
        made = Incarnations(LOG, PartitionTable())
        old = taken(made, "t", Incarnation("old", [0, 1]))
        other = taken(made, "u", Incarnation("id", [0]))
        found = {"t": Incarnation("new", [0]), "u": Incarnation("id", [0])}
        assert made.stale(old + other, found) == {0, 1}
        assert made.retire([0, 1]) == [("t", 0), ("t", 1)]
        assert taken(made, "t", found["t"]) == [3]
        assert made.slots == {("t", 0): 3, ("u", 0): 2}
        assert (made.retired, made.ids["t"]) == ({0, 1}, "new")

    def test_a_slot_that_an_earlier_run_read_can_be_stale(self):
        table = PartitionTable()
        slot = table.slot(Partition(LOG, "c", "old", "t", "payments", 0))
        made = Incarnations(LOG, table)
        assert made.stale([slot], {"t": Incarnation("new", [0])}) == {slot}
        assert made.retire([slot]) == []
        assert made.retired == {slot}

    def test_a_slot_is_stale_whose_partition_is_read_as_another(self):
        table = PartitionTable()
        elsewhere = table.slot(Partition(LOG, "elsewhere", "t", "t", "payments", 0))
        made = Incarnations(LOG, table)
        found = {"t": Incarnation("t", [0, 1])}
        fresh = made.number("c", "t", "payments", found["t"])
        assert made.stale([elsewhere], found) == set()
        assert made.stale([elsewhere, 2], found, fresh) == {elsewhere}

    def test_another_logs_slot_is_none_of_ours(self):
        table = PartitionTable()
        slot = table.slot(Partition(0, "c", "old", "t", "payments", 0))
        assert Incarnations(LOG, table).stale([slot], {"t": Incarnation("new", [0])}) == set()

    def test_what_slots_tell_of_their_cluster(self):
        made = Incarnations(LOG, PartitionTable())
        assert (made.cluster_of([]), made.have_ids([])) == ("", False)
        taken(made, "t", Incarnation("t", [0]))
        assert (made.cluster_of([0]), made.have_ids([0])) == ("c", False)
        taken(made, "u", Incarnation("id", [0]))
        assert made.have_ids([0, 1])

    def test_slots_name_their_topics_and_partitions(self):
        made = Incarnations(LOG, PartitionTable())
        taken(made, "t", Incarnation("id", [0, 7]))
        assert made.key(1) == ("t", 7)
        assert made.topics_of([0, 1]) == {"t"}
