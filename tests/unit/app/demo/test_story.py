from __future__ import annotations

from dupscope.app.demo import story
from dupscope.app.demo.cast import COMMIT_EVERY, OFFSETS_EVERY, PAYMENTS, RESENT


class TestStory:
    def test_deaths_fall_between_commits(self) -> None:
        """Both deaths leave something uncommitted, and the consumer's comes while there is more to charge."""
        assert story.MIRROR_DIES_AFTER % OFFSETS_EVERY
        assert story.CONSUMER_DIES_AFTER % COMMIT_EVERY
        assert story.MIRROR_DIES_AFTER < story.CONSUMER_DIES_AFTER < PAYMENTS + RESENT
