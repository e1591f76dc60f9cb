from __future__ import annotations

from dupscope.store.commit import STEPS, Commit, no_step


class TestCommit:
    def test_kind(self, pipeline):
        """A checkpoint holds the state of all pipelines, a journal row of none."""
        pipeline.read(1)
        assert not pipeline.commit().is_checkpoint
        assert pipeline.commit(checkpoint=True).is_checkpoint
        assert Commit(0, {}).is_checkpoint


class TestSteps:
    def test_each_has_one_name(self):
        assert len(set(STEPS)) == len(STEPS)

    def test_nothing_happens(self):
        assert no_step(STEPS[0]) is None
