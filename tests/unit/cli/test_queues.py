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


def test_every_queue_of_the_stack_goes_by_its_name():
    assert queue_urls(OUTPUTS) == {
        "p-enriched-plays": "https://sqs/1/p-enriched-plays",
        "p-enriched-plays-dlq": "https://sqs/1/p-enriched-plays-dlq",
        "p-failed-ticks": "https://sqs/1/p-failed-ticks",
    }


def test_a_queue_is_paired_with_its_dead_letters_and_ticks_have_no_queue():
    ticks = QueuePair("failed-ticks", None, "https://sqs/1/p-failed-ticks")

    assert queue_pairs(OUTPUTS) == [ENRICHED, ticks]


@pytest.mark.parametrize(
    "name", ["enriched-plays", "enriched-plays-dlq", "p-enriched-plays", "p-enriched-plays-dlq"]
)
def test_a_pair_is_found_by_the_name_of_either_queue(name):
    assert find_pair(queue_pairs(OUTPUTS), name) == ENRICHED


def test_an_unknown_queue_is_answered_with_the_known_ones():
    with pytest.raises(CommandError, match=r"no queue 'plays' .* take one of enriched-plays$"):
        find_pair(queue_pairs(OUTPUTS), "plays")


def test_failed_ticks_have_nowhere_to_go_back_to():
    with pytest.raises(CommandError, match="the next tick makes good"):
        find_pair(queue_pairs(OUTPUTS), "failed-ticks")


def test_the_depth_parts_waiting_messages_from_those_in_work_and_not_yet_due(aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="plays")["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="play")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)

    counted = depth(sqs, url)

    assert (counted.visible, counted.in_flight, counted.total) == (2, 2, 4)


def test_the_age_of_the_oldest_message_is_cloudwatchs_newest_figure():
    def get_metric_data(**asked):
        assert [query["Id"] for query in asked["MetricDataQueries"]] == ["q0", "q1"]
        return {
            "MetricDataResults": [{"Id": "q1", "Values": [90.0, 30.0]}, {"Id": "q0", "Values": []}]
        }

    cloudwatch = type("CloudWatch", (), {"get_metric_data": staticmethod(get_metric_data)})

    assert oldest_ages(cloudwatch, ["quiet", "busy"]) == {"busy": 90}
