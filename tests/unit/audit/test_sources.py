from __future__ import annotations

from dupscope.audit.files import AuditFiles
from dupscope.audit.settings import AuditSettings, FileSource, TopicSource
from dupscope.audit.sources import source_of
from dupscope.audit.topic import TopicLines
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings


class TestSourceOf:
    def test_each_kind_has_its_reader_which_asks_nobody_yet(self):
        topic = TopicSource(ClusterSettings("a", {"bootstrap.servers": "127.0.0.1:1"}), TopicSelection())
        for settings, kind in [(FileSource("a.jsonl"), AuditFiles), (topic, TopicLines)]:
            source = source_of(AuditSettings(settings))
            assert type(source) is kind
            source.close()
