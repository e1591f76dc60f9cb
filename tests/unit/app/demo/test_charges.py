from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dupscope.app.demo.charges import ChargeClient, ChargeServer, made_charges


@pytest.fixture
def server() -> Iterator[ChargeServer]:
    with ChargeServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestChargeServer:
    def test_charges_whatever_it_is_asked(self, server: ChargeServer) -> None:
        """The same request twice takes the money twice, under two ids."""
        client = ChargeClient(server.address)
        assert client.charge("p-1", 250, "0/7") == "ch_00001"
        assert client.charge("p-1", 250, "0/7") == "ch_00002"
        client.close()
        assert made_charges(server.address) == [
            {"charge_id": "ch_00001", "payment_id": "p-1", "amount": 250, "reference": "0/7"},
            {"charge_id": "ch_00002", "payment_id": "p-1", "amount": 250, "reference": "0/7"},
        ]

    def test_empty(self, server: ChargeServer) -> None:
        """Nothing charged is an empty list."""
        assert made_charges(server.address) == []
