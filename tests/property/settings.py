"""How long property tests look: `ci` by default, `soak` by DUPSCOPE_HYPOTHESIS."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def settings_profile() -> None:
    """Load the profile that the environment names."""
    slow = list(HealthCheck)
    settings.register_profile(
        "ci", max_examples=1500, deadline=None, print_blob=True, suppress_health_check=slow
    )
    settings.register_profile("soak", settings.get_profile("ci"), max_examples=50_000)
    settings.load_profile(os.environ.get("DUPSCOPE_HYPOTHESIS", "ci"))
