from __future__ import annotations

import json

import pytest

from dupscope.app.check import CheckOptions, check
from dupscope.app.check_report import Level
from dupscope.app.cli import invoke
from dupscope.config.load import load
from dupscope.fingerprint.settings import KeySpec
from support.mock import MockCluster

SECRETS = ("p-canary-", "c-canary-")


def _payment(number):
    document = {
        "payment_id": f"p-canary-{number}",
        "customer": f"c-canary-{number % 9}",
        "amount": number * 7 % 50,
    }
    return json.dumps(document).encode()


PAYMENTS = [(n % 2, b"p-canary-%d" % n, _payment(n)) for n in range(100)]


@pytest.fixture(scope="module")
def primary():
    with MockCluster() as cluster:
        cluster.create_topic("payments", 2)
        cluster.produce("payments", PAYMENTS)
        cluster.produce("payments", PAYMENTS[:3])
        cluster.create_topic("nothing", 1)
        cluster.create_topic("aimless", 1)
        cluster.produce("aimless", [(0, None, b"c-canary-9")] * 20)
        yield cluster


@pytest.fixture(scope="module")
def dr():
    with MockCluster() as cluster:
        for topic in ("primary.payments", "payments"):
            cluster.create_topic(topic, 2)
            cluster.produce(topic, PAYMENTS)
        yield cluster


class TestKeys:
    def test_a_newcomer_sees_which_field_names_a_fact_and_why(self, primary, capsys):
        assert invoke(["keys", "payments", "--bootstrap-server", primary.bootstrap_servers]) == 0

        said = capsys.readouterr().out.splitlines()
        assert said[0] == "payments: 103 records sampled from 2 partitions on primary"
        assert said[2].split() == ["candidate", "present", "distinct", "same", "payload", "other", "payload"]
        assert said[3] == (
            "  payment_id        100%     97.1%             3              0  "
            "repeats carry the same payload, so it names one fact"
        )
        assert "  Proposed: payment_id (repeats carry the same payload, so it names one fact)." in said
        assert "A first configuration (--write FILE keeps it):" in said

    def test_what_it_writes_is_accepted_by_check(self, primary, dr, tmp_path, capsys):
        file = tmp_path / "dupscope.yaml"
        servers = [part for each in (primary, dr) for part in ("--bootstrap-server", each.bootstrap_servers)]

        assert invoke(["keys", "payments", "primary.payments", *servers, "--write", str(file)]) == 0
        assert f"Wrote {file}. Next: dupscope check -c {file}\n" in capsys.readouterr().out

        assert invoke(["check", "--offline", "-c", str(file)]) == 0
        config = load(file, {})
        report = check(config, CheckOptions(seconds=0))
        assert (report.count(Level.PROBLEM), report.count(Level.WARNING)) == (0, 0)
        assert config.pipelines["payments"].key == KeySpec("json", ("payment_id",))
        assert [log.name for log in config.pipelines["payments"].topology.logs] == [
            "source",
            "to-dr",
            "dr-primary-payments",
        ]

    def test_no_value_of_a_record_is_shown_or_written(self, primary, dr, tmp_path, capsys):
        file = tmp_path / "dupscope.yaml"
        servers = ["--bootstrap-server", primary.bootstrap_servers]

        invoke(["keys", "payments", "aimless", *servers, "--write", str(file)])

        shown = capsys.readouterr()
        for secret in SECRETS:
            assert secret not in shown.out + shown.err + file.read_text()

    def test_clusters_can_come_from_a_configuration_that_has_nothing_else_yet(
        self, primary, tmp_path, capsys
    ):
        file = tmp_path / "clusters.yaml"
        file.write_text(
            "clusters: {here: {sasl.password: {env: PW}, "
            f"bootstrap.servers: '{primary.bootstrap_servers}'}}}}\n"
        )

        assert invoke(["keys", "payments", "-c", str(file)]) == 2
        missing = "environment variable PW is not set; set it before the start"
        assert capsys.readouterr().err == f"{file}: clusters.here.sasl.password: {missing}\n"

    def test_an_existing_configuration_lends_its_clusters_by_their_names(self, primary, tmp_path, capsys):
        file = tmp_path / "clusters.yaml"
        file.write_text(f"clusters: {{here: {{bootstrap.servers: '{primary.bootstrap_servers}'}}}}\n")

        assert invoke(["keys", "payments", "-c", str(file)]) == 0
        assert "source: {cluster: here, topics: [payments]}" in capsys.readouterr().out

    def test_a_file_that_exists_is_never_overwritten(self, primary, tmp_path, capsys):
        file = tmp_path / "dupscope.yaml"
        file.write_text("mine")

        command = ["keys", "payments", "--bootstrap-server", primary.bootstrap_servers, "--write", str(file)]

        assert invoke(command) == 2
        assert capsys.readouterr().err == f"{file}: exists already; name another file or remove it\n"
        assert file.read_text() == "mine"

    def test_a_topic_that_is_nowhere_is_told_with_the_address(self, primary, capsys):
        assert invoke(["keys", "nowhere", "--bootstrap-server", primary.bootstrap_servers]) == 2

        where = f"{primary.bootstrap_servers}, or these credentials may not see it"
        assert capsys.readouterr().err == f"there is no topic 'nowhere' at {where}\n"

    @pytest.mark.parametrize(
        ("topic", "said"),
        [("nothing", "nothing: no record to sample"), ("aimless", "No candidate names one business fact.")],
    )
    def test_without_a_usable_key_nothing_is_proposed(self, topic, said, primary, capsys):
        assert invoke(["keys", topic, "--bootstrap-server", primary.bootstrap_servers]) == 1

        shown = capsys.readouterr().out
        assert said in shown
        assert "No usable business key was found, so there is no configuration to propose." in shown
