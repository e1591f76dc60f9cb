from __future__ import annotations

import pytest

from dupscope.app.limits import Shares, shares
from dupscope.config.load import load

GIB = 1 << 30


@pytest.fixture
def limited(tmp_path):
    def limited(limits):
        file = tmp_path / "dupscope.yaml"
        file.write_text(
            "clusters: {a: {bootstrap.servers: x}}\n"
            "pipelines: {p: {key: kafka_key, source: {cluster: a, topics: [t]}}}\n"
            f"limits: {limits}\n"
        )
        return shares(load(file, {}))

    return limited


class TestShares:
    def test_by_default_memory_decides_how_many_keys_are_held(self, limited):
        found = limited("{}")

        assert found == Shares(GIB, 16 << 20, 200_000)
        assert found.disk_bytes < 4 * GIB

    def test_a_disk_that_holds_fewer_keys_decides(self, limited):
        found = limited("{memory: 2GiB, disk: 1GiB}")

        assert found.ledger_bytes < GIB // 2
        assert GIB - 1000 < found.disk_bytes <= GIB

    @pytest.mark.parametrize("mib", [128, 200, 1000, 100_000])
    def test_all_parts_together_stay_within_the_disk(self, limited, mib):
        found = limited(f"{{memory: 100GiB, disk: {mib}MiB}}")

        assert found.ledger_bytes > 0
        assert found.disk_bytes <= mib << 20

    def test_findings_and_a_short_journal_leave_room_for_keys(self, limited):
        found = limited("{disk: 128MiB}")

        assert found.findings * 800 <= found.journal_bytes == 16 << 20
