from __future__ import annotations

from dupscope.model.batch import AuditRead, TailRead, no_effects, no_records


class TestEmpty:
    def test_a_batch_without_records_has_its_log_and_typed_columns(self):
        batch = no_records(2)
        assert (len(batch), batch.log) == (0, 2)
        assert (batch.position.dtype.name, batch.timestamp.dtype.name) == ("uint64", "int64")

    def test_a_batch_without_effects_has_its_sink_and_typed_columns(self):
        batch = no_effects(1)
        assert (len(batch), batch.sink, batch.effect_id.dtype.name) == (0, 1, "uint32")


class TestReads:
    def test_two_reads_share_no_counter(self):
        TailRead(no_records(0)).errors["refused"] += 1
        AuditRead(no_effects(0)).invalid["json"] += 1
        assert TailRead(no_records(0)).errors == {}
        assert AuditRead(no_effects(0)).invalid == {}
