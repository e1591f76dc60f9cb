from __future__ import annotations

from dupscope.telemetry.style import CSS


class TestStyle:
    """The style sheet stands alone."""

    def test_no_external_assets(self):
        """A page that is opened during an outage must not wait for another server."""
        assert not [word for word in ("url(", "@import", "http", "</") if word in CSS]

    def test_braces_match(self):
        """Every rule is closed."""
        assert CSS.count("{") == CSS.count("}")
