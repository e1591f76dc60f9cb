"""`dupscope check` on real clusters: what librdkafka's mock brokers cannot answer."""

from __future__ import annotations

import pytest

from dupscope.app.check import CheckOptions, check
from dupscope.app.check_report import Level
from dupscope.config.load import load

pytestmark = pytest.mark.kafka

PIPELINE = """
clusters:
  primary: {{bootstrap.servers: "{primary}"}}
  dr: {{bootstrap.servers: "{dr}"}}
pipelines:
  p:
    key: {{json: [id]}}
    source: {{cluster: primary, topics: ["^checked-.*"]}}
    mirrors:
      to-dr: {{cluster: dr, topics: ['^primary[.]checked-.*']}}
"""


class TestCheck:
    def test_topics_of_patterns_their_timestamp_types_and_topic_ids_are_found_out(self, rig, tmp_path):
        append = {"message.timestamp.type": "LogAppendTime"}
        rig.primary.create_topic("checked-kept", 1)
        rig.primary.create_topic("checked-set", 1, append)
        rig.dr.create_topic("primary.checked-kept", 1)
        rig.dr.create_topic("primary.checked-set", 1, append)
        file = tmp_path / "dupscope.yaml"
        file.write_text(PIPELINE.format(primary=rig.primary.bootstrap, dr=rig.dr.bootstrap))

        report = check(load(file, {}), CheckOptions(seconds=0.0))

        lines = [line for section in report.sections for line in section.lines]
        assert [
            (line.where, line.text.split(": brokers")[0]) for line in lines if line.level is Level.WARNING
        ] == [("to-dr", "primary.checked-set: message.timestamp.type=LogAppendTime")]
        assert sum("checked-" in line.text and "is empty" in line.text for line in lines) == 4
        assert not [line for line in lines if "topic ids" in line.text or line.level is Level.PROBLEM]
