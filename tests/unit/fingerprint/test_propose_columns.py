from __future__ import annotations

from types import SimpleNamespace

from dupscope.fingerprint.propose_columns import MAX_COLUMNS, table
from dupscope.fingerprint.settings import KeySpec


def _record(value=None, key=None, headers=()):
    return SimpleNamespace(value=value, key=key, headers=headers)


class TestTable:
    def test_a_column_has_a_cell_per_record_and_none_where_there_is_nothing(self):
        found = table([_record(b'{"a":1}', b"k"), _record(b'{"b":null}'), _record(b'{"a":"1"}')])

        assert found.columns[KeySpec("json", ("a",))].cells == ["1", None, "1"]
        assert found.columns[KeySpec("kafka_key")].cells == ["k", None, None]
        assert KeySpec("json", ("b",)) not in found.columns

    def test_tombstones_and_undecodable_values_are_counted_apart(self):
        found = table([_record(None), _record(b"{"), _record(b"[]"), _record(b"{}")])

        assert (found.tombstones, found.undecodable) == (1, 2)

    def test_a_dot_in_a_name_is_escaped_as_the_configuration_writes_it(self):
        found = table([_record(b'{"a.b":{"c":1}}')])

        assert [*found.columns] == [KeySpec("json", (r"a\.b.c",))]

    def test_numbers_with_a_fraction_and_booleans_are_marked(self):
        found = table([_record(b'{"amount":1.5,"paid":true,"count":2}')])

        assert {"amount", "paid"} == {
            spec.paths[0] for spec, column in found.columns.items() if column.fractional
        }

    def test_times_are_known_by_their_values(self):
        values = [
            b'{"a":"2026-11-23T10:00:00Z","b":1700000000,"c":"x"}',
            b'{"a":"2026-11-24","b":1700000000123,"c":1}',
        ]

        found = table([_record(value) for value in values])

        assert {"a", "b"} == {spec.paths[0] for spec in found.columns if found.columns[spec].holds_times}

    def test_a_sample_with_a_name_per_record_stays_bounded(self):
        found = table([_record(b'{"k%d":1}' % number) for number in range(3 * MAX_COLUMNS)])

        assert len(found.columns) == MAX_COLUMNS

    def test_headers_that_are_not_text_are_columns_too(self):
        found = table([_record(headers=[("h", b"\xff"), ("n", None)])])

        assert found.columns[KeySpec("header", ("h",))].cells == [b"\xff"]
        assert KeySpec("header", ("n",)) not in found.columns
