from __future__ import annotations

import subprocess
import sys

from dupscope.model.layer import Layer


class TestLayer:
    def test_upstream_first(self):
        assert list(map(str, Layer)) == ["produce", "mirror", "consume"]

    def test_who_needs_only_this_loads_no_columns(self):
        """An agent is to stay small."""
        code = "import sys, dupscope.app.agent, dupscope.app.cli; sys.exit('numpy' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
