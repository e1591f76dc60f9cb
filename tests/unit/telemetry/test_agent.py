from __future__ import annotations

import urllib.request

from dupscope.telemetry.agent import AgentMetrics


class TestAgentMetrics:
    def test_what_is_served(self):
        metrics = AgentMetrics("1.2.3", "pod-1")
        port = metrics.serve("127.0.0.1", 0)
        metrics.shipped(3)
        metrics.failed("transport")
        metrics.state(17, is_well=True)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            text = response.read().decode()
        metrics.close()
        for line in (
            "dupscope_agent_lines_total 3.0",
            'dupscope_agent_errors_total{reason="transport"} 1.0',
            "dupscope_agent_behind_bytes 17.0",
            "dupscope_agent_up 1.0",
            'dupscope_agent_info{instance="pod-1",version="1.2.3"} 1.0',
        ):
            assert line in text.splitlines()
