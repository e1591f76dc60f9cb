from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from contract.clusters import Cluster, KafkaContractCluster, MockContractCluster, settings_of
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.columns import Decoder
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.starts import Start
from dupscope.kafka.tail import Tail, TailSettings
from dupscope.model.position import PartitionTable

LOG = 2


@pytest.fixture(scope="session")
def mock_cluster() -> Iterator[MockContractCluster]:
    cluster = MockContractCluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaContractCluster]:
    cluster = KafkaContractCluster(tmp_path_factory.mktemp("contract") / "broker")
    yield cluster
    cluster.close()


@pytest.fixture(params=["mock", pytest.param("kafka", marks=pytest.mark.kafka)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each test runs on mock brokers and on a real one."""
    return request.getfixturevalue(f"{request.param}_cluster")


def fingerprinter() -> Fingerprinter:
    return Fingerprinter(bytes(16), "payments", KeySpec("kafka_key"))


@pytest.fixture
def tail_of() -> Iterator[Callable[..., Tail]]:
    """Makes tails of a cluster's topics, and closes them. `reach`: by other settings than the usual."""
    tails: list[Tail] = []

    def make(
        cluster: Cluster,
        topics: dict[str, str] | TopicSelection,
        start: Start | None = None,
        table: PartitionTable | None = None,
        **options: object,
    ) -> Tail:
        reach = options.pop("reach", None) or settings_of(cluster)
        selection = topics if isinstance(topics, TopicSelection) else TopicSelection(topics)
        settings = TailSettings(reach, LOG, selection, start or Start(), **options)
        decoder = Decoder(LOG, fingerprinter(), settings.redrive)
        tails.append(Tail(settings, table if table is not None else PartitionTable(), decoder))
        return tails[-1]

    yield make
    for tail in tails:
        tail.close()
