from __future__ import annotations

import json

from dupscope.config.load import load

FILE = """
clusters: {a: {bootstrap.servers: "x:1", sasl.password: inline, sasl.username: {env: USER_NAME}}}
pipelines:
  p:
    key: {header: id}
    start: 2d
    source: {cluster: a, topics: [t]}
    mirrors: {m: {cluster: a, topics: [u], policy: {map: {u: t}}}}
    sinks: {s: {reads: [m]}}
fingerprint_key: {file: k}
"""


class TestPlain:
    def test_shows_the_effective_configuration_in_the_files_own_form(self, tmp_path):
        file = tmp_path / "f.yaml"
        file.write_text(FILE)

        shown = load(file, {"USER_NAME": "watcher"}).masked

        assert json.loads(json.dumps(shown)) == {
            "clusters": {"a": {"bootstrap.servers": "x:1", "sasl.password": "***", "sasl.username": "***"}},
            "pipelines": {
                "p": {
                    "key": {"header": "id"},
                    "source": {"cluster": "a", "topics": ["t"]},
                    "mirrors": {
                        "m": {
                            "cluster": "a",
                            "topics": ["u"],
                            "from": "source",
                            "tool": "mirrormaker2",
                            "policy": {"map": {"u": "t"}},
                            "separator": ".",
                            "tag": ["timestamp", "key", "value"],
                        }
                    },
                    "sinks": {"s": {"reads": ["m"], "order": "any"}},
                    "window": "24h",
                    "margin": "10m",
                    "start": "2d",
                }
            },
            "state": {"path": "/var/lib/dupscope"},
            "fingerprint_key": {"file": "k"},
            "limits": {"memory": "1GiB"},
            "web": {"listen": ":9464"},
            "log": {"level": "info", "findings_per_second": 100},
        }
