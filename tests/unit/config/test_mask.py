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
            "replays": [],
            "state": {"path": "/var/lib/dupscope", "journal": "16MiB"},
            "fingerprint_key": {"file": "k"},
            "limits": {"memory": "1GiB", "disk": "4GiB"},
            "web": {"listen": ":9464"},
            "log": {"level": "info", "findings_per_second": 100},
        }

    def test_several_sources_and_replays_are_shown_as_the_file_writes_them(self, tmp_path):
        sources = [{"cluster": "a", "topics": ["t"]}, {"cluster": "b", "topics": ["^t.*"]}]
        replay = {"pipeline": "p", "stage": "source", "reason": "why"}
        times = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T12:00:00.250+01:00"}
        document = {
            "clusters": {"a": {"bootstrap.servers": "x"}, "b": {"bootstrap.servers": "y"}},
            "pipelines": {"p": {"key": "kafka_key", "source": sources, "redrive": {"headers": ["x"]}}},
            "replays": [{**replay, **times}],
        }
        file = tmp_path / "f.yaml"
        file.write_text(json.dumps(document))

        shown = load(file, {}).masked

        assert shown["pipelines"]["p"]["source"] == sources
        assert shown["pipelines"]["p"]["redrive"] == {"headers": ["x"]}
        assert shown["replays"] == [{**replay, "from": times["from"], "to": "2026-11-23T11:00:00.250Z"}]


class TestConnection:
    def test_only_what_is_no_secret_is_shown(self, tmp_path):
        """A password in the file, and one that is kept elsewhere."""
        (tmp_path / "secret").write_text("CANARY-2")
        file = tmp_path / "f.yaml"
        file.write_text(
            FILE.replace(
                "s: {reads: [m]}",
                "s: {reads: [m], audit: {postgres: {table: t, connection: "
                "{host: db, password: CANARY-1, options: -c x=1, passfile: {file: secret}}}}}",
            )
        )
        config = load(file, {"USER_NAME": "watcher"})
        shown = config.masked["pipelines"]["p"]["sinks"]["s"]["audit"]["postgres"]["connection"]
        assert shown == {"host": "db", "password": "***", "options": "***", "passfile": {"file": "secret"}}
        assert "CANARY" not in json.dumps(config.masked)
        assert "CANARY" not in repr(config)
        assert config.pipelines["p"].audits[0].source.connection["passfile"] == "CANARY-2"
