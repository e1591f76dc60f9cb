"""What tests need beyond Python: asked for by name, skipped aloud on a desk, compulsory under CI=true."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

PARTS = {
    "java": "real Kafka clusters and MirrorMaker 2 (install a Java runtime, 17 or later)",
    "mvn": "fetching Kafka from a Maven repository (install Maven)",
    "postgres": "audit tables in Postgres (install a Postgres server)",
    "mount": "disks that are full or read-only (run as a user who may mount)",
}
"""What cannot run without a component."""

missing: set[str] = set()
"""The components that tests of this run asked for in vain."""


def compulsory() -> bool:
    """Whether a missing component fails the run: on the machine that decides, nothing is skipped."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def present(component: str) -> bool:
    return shutil.which(component) is not None


def require(component: str) -> None:
    """Skip the calling test, or fail it under CI=true, when `component` is not installed."""
    if not present(component):
        lack(component, f"{component} is not installed")


def lack(component: str, problem: str) -> NoReturn:
    """Skip the calling test, or fail it under CI=true: `component` was tried in vain."""
    missing.add(component)
    reason = f"{problem}: cannot run {PARTS[component]}"
    if compulsory():
        pytest.fail(f"{reason}; compulsory under CI=true", pytrace=False)
    pytest.skip(reason)


def summary() -> list[str]:
    """One line for each component that was missed, naming the parts that did not run."""
    return [f"NOT RUN without {name}: {PARTS[name]}" for name in sorted(missing)]
