from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from dupscope.kafka.errors import (
    AccessDeniedError,
    BrokersUnreachableError,
    RetryableClusterError,
    TopicMissingError,
    cluster_error,
    error_of,
    reason,
    reason_of,
)
from dupscope.model.errors import ClusterError


class TestReason:
    @pytest.mark.parametrize(
        ("expected", "code"),
        [
            ("all_brokers_down", KafkaError._ALL_BROKERS_DOWN),
            ("offset_out_of_range", KafkaError._AUTO_OFFSET_RESET),
            ("group_authorization_failed", KafkaError.GROUP_AUTHORIZATION_FAILED),
            ("unknown_topic_or_part", KafkaError.UNKNOWN_TOPIC_OR_PART),
        ],
    )
    def test_it_is_the_clients_name_in_snake_case(self, expected: str, code: int):
        assert reason(KafkaError(code)) == expected


class TestReasonOf:
    @pytest.mark.parametrize(
        ("expected", "error"),
        [
            ("topic_missing", TopicMissingError()),
            ("unreachable", BrokersUnreachableError()),
            ("access_denied", AccessDeniedError()),
        ],
    )
    def test_it_says_what_kept_an_answer_away(self, expected: str, error: ClusterError):
        assert reason_of(error) == expected


class TestClusterError:
    @pytest.mark.parametrize(
        ("expected", "code"),
        [
            (AccessDeniedError, KafkaError.TOPIC_AUTHORIZATION_FAILED),
            (AccessDeniedError, KafkaError._AUTHENTICATION),
            (TopicMissingError, KafkaError.UNKNOWN_TOPIC_OR_PART),
            (BrokersUnreachableError, KafkaError._TIMED_OUT),
            (BrokersUnreachableError, KafkaError.LEADER_NOT_AVAILABLE),
        ],
    )
    def test_its_class_says_what_can_be_done(self, expected: type[ClusterError], code: int):
        error = cluster_error("dr", "offsets", KafkaError(code))
        assert type(error) is expected
        assert error.retryable == isinstance(error, RetryableClusterError)

    def test_its_text_names_cluster_action_and_reason(self):
        error = cluster_error("dr", "topic 'x'", KafkaError(KafkaError._TRANSPORT))
        assert str(error) == "cluster 'dr': topic 'x': transport"

    def test_only_denied_access_needs_a_person(self):
        assert not AccessDeniedError.retryable
        assert TopicMissingError.retryable
        assert BrokersUnreachableError.retryable


class TestErrorOf:
    def test_it_is_the_error_inside(self):
        error = KafkaError(KafkaError._TIMED_OUT)
        assert error_of(KafkaException(error)) is error
