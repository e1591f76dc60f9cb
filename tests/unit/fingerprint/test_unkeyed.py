from __future__ import annotations

from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError


class TestUnkeyed:
    """The reasons are a closed set: dashboards and alerts name them."""

    def test_all(self) -> None:
        assert {reason.value for reason in Unkeyed} == {
            "null_key",
            "missing_path",
            "undecodable",
            "not_scalar",
            "oversize",
        }


class TestUnkeyedError:
    """The error says the reason and nothing else."""

    def test_text(self) -> None:
        error = UnkeyedError(Unkeyed.NOT_SCALAR)
        assert (str(error), error.reason) == ("not_scalar", Unkeyed.NOT_SCALAR)
