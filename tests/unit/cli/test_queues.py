import pytest

from cli.errors import CommandError
from cli.queues import QueuePair, depth, find_pair, oldest_ages, queue_pairs, queue_urls

OUTPUTS = {
    "EnrichedPlaysDlqUrl": "https://sqs/1/p-enriched-plays-dlq",
    "EnrichedPlaysQueueUrl": "https://sqs/1/p-enriched-plays",
    "FailedTicksQueueUrl": "https://sqs/1/p-failed-ticks",
    "ArchiveBucket": "archive",
}
ENRICHED = QueuePair(
    "enriched-plays", "https://sqs/1/p-enriched-plays", "https://sqs/1/p-enriched-plays-dlq"
)


def test_queue_urls_are_keyed_by_name():
    assert queue_urls(OUTPUTS) == {
        "p-enriched-plays": "https://sqs/1/p-enriched-plays",
        "p-enriched-plays-dlq": "https://sqs/1/p-enriched-plays-dlq",
        "p-failed-ticks": "https://sqs/1/p-failed-ticks",
    }


def test_queues_are_paired_with_their_dead_letter_queues():
    failed_polls = QueuePair("failed-ticks", None, "https://sqs/1/p-failed-ticks")

    assert queue_pairs(OUTPUTS) == [ENRICHED, failed_polls]


@pytest.mark.parametrize(
    "name", ["enriched-plays", "enriched-plays-dlq", "p-enriched-plays", "p-enriched-plays-dlq"]
)
def test_a_queue_pair_is_found_by_either_queue_name(name):
    assert find_pair(queue_pairs(OUTPUTS), name) == ENRICHED


def test_an_unknown_queue_is_refused_with_the_known_names():
    with pytest.raises(CommandError, match=r"'plays': use one of enriched-plays, failed-ticks$"):
        find_pair(queue_pairs(OUTPUTS), "plays")


def test_received_and_delayed_messages_count_as_in_flight(aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="plays")["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="play")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)

    counted = depth(sqs, url)

    assert (counted.visible, counted.in_flight, counted.total) == (2, 2, 4)


def test_the_oldest_messages_age_is_the_newest_cloudwatch_value():
    def get_metric_data(**asked):
        assert [query["Id"] for query in asked["MetricDataQueries"]] == ["q0", "q1"]
        return {
            "MetricDataResults": [{"Id": "q1", "Values": [90.0, 30.0]}, {"Id": "q0", "Values": []}]
        }

    cloudwatch = type("CloudWatch", (), {"get_metric_data": staticmethod(get_metric_data)})

    assert oldest_ages(cloudwatch, ["quiet", "busy"]) == {"busy": 90}
