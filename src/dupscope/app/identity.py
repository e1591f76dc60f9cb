"""What a pipeline's stored state depends on, as a digest: another one, and the state is of no use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dupscope.config.settings import Config

IRRELEVANT = frozenset({"start", "team"})
"""Keys of a pipeline that may change without its state becoming wrong; where an audit log lies is another."""


PLACES = frozenset({"file", "connection", "lost_after", "reach"})
"""Keys of an audit log that tell where it lies, or how patient to be: it may be the same log, moved."""


def identity(config: Config, pipeline: str, secret: bytes) -> str:
    """The digest of a pipeline's configuration and of the fingerprint key. It tells nothing of either.

    What is not set does not count, so that a key which a later version adds changes nothing.
    """
    section = config.masked["pipelines"]
    assert isinstance(section, Mapping)
    kept = {name: value for name, value in section[pipeline].items() if name not in IRRELEVANT}
    text = json.dumps(_without_places(kept), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), key=secret, digest_size=16, person=b"dupscope.id").hexdigest()


def _without_places(tree: Any) -> Any:  # noqa: ANN401 - plain values of a file
    """The tree without what is empty, and without where audit logs lie."""
    if isinstance(tree, Mapping):
        kept = {name: _without_places(value) for name, value in tree.items() if name not in PLACES}
        return {name: value for name, value in kept.items() if value not in (None, "", [], {})}
    if isinstance(tree, list | tuple):
        return [_without_places(value) for value in tree]
    return tree
