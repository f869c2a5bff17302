"""A queue between two stages, with its dead letters."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class StagedQueue(Construct):
    """A queue and its dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue_name: str,
        visibility_timeout: Duration,
        max_receives: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = dead_letter_queue(
            self,
            "DeadLetters",
            queue_name=f"{queue_name}-dlq",
            redrive_allow_policy=self._only_from(queue_name),
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            visibility_timeout=visibility_timeout,
            # A dead letter keeps the time it was first sent, so at least 7 of its 14 days are left.
            retention_period=Duration.days(7),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=max_receives
            ),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )

    def _only_from(self, queue_name: str) -> sqs.RedriveAllowPolicy:
        # By name, because two queues that refer to each other could not be deployed.
        arn = Stack.of(self).format_arn(service="sqs", resource=queue_name)
        source = sqs.Queue.from_queue_arn(self, "Source", arn)
        return sqs.RedriveAllowPolicy(
            redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=[source]
        )


def dead_letter_queue(
    scope: Construct,
    construct_id: str,
    *,
    queue_name: str,
    redrive_allow_policy: sqs.RedriveAllowPolicy | None = None,
) -> sqs.Queue:
    """Add a queue that keeps messages for 14 days, which is SQS's maximum."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=queue_name,
        retention_period=Duration.days(14),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        redrive_allow_policy=redrive_allow_policy,
    )
