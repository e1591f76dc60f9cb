from __future__ import annotations

import json

import pytest

from dupscope.app.check_keys import advice, use_of_key
from dupscope.config.load import load
from dupscope.kafka.sample import SampledRecord


@pytest.fixture
def pipeline(tmp_path):
    def pipeline(key):
        file = tmp_path / "f.yaml"
        file.write_text(
            "clusters: {a: {bootstrap.servers: x}}\n"
            f"pipelines: {{p: {{key: {key}, source: {{cluster: a, topics: [t]}}}}}}\n"
        )
        return load(file, {}).pipelines["p"]

    return pipeline


def _records(*values):
    return [
        SampledRecord(0, offset, 1_000, b"key", json.dumps(value).encode(), [("id", str(offset).encode())])
        for offset, value in enumerate(values)
    ]


class TestUseOfKey:
    def test_repeats_are_told_by_payload(self, pipeline):
        use = use_of_key(
            pipeline("{json: [id]}"), "t", _records({"id": 1}, {"id": 1}, {"id": 1, "x": 2}, {"id": 2})
        )

        assert (use.records, use.keyed, use.same, use.other) == (4, 4, 1, 1)
        assert use.coarse

    def test_records_without_a_key_are_counted_by_reason(self, pipeline):
        use = use_of_key(pipeline("{json: [id]}"), "t", _records({"id": 1}, {"id": None}, {}, []))

        assert use.keyed == 1
        assert use.unkeyed == {"null_key": 1, "missing_path": 2}

    def test_a_header_can_be_the_key(self, pipeline):
        assert use_of_key(pipeline("{header: id}"), "t", _records({}, {})).keyed == 2

    def test_resends_with_a_new_time_are_no_reason_to_change_the_key(self, pipeline):
        records = _records(*({"id": n % 30, "sent_at": f"2026-11-23T10:00:{n:02}Z"} for n in range(31)))

        use = use_of_key(pipeline("{json: [id]}"), "t", records)

        assert advice(use) == (
            "3.2% repeat with another payload, but only sent_at differ: resends, reported as conflicting"
        )

    def test_what_to_add_is_said_where_it_is_found(self, pipeline):
        records = _records(*({"id": n, "event_type": t} for n in range(9) for t in "ab"))

        assert advice(use_of_key(pipeline("{json: [id]}"), "t", records)) == (
            "50% repeat with another payload: the key may be too coarse; add event_type"
        )
