"""Makes AWS calls of the collector fail."""

from shared.aws import client

CLIENT_OF = {
    "PutObject": "s3",
    "SendMessage": "sqs",
    "PutItem": "dynamodb",
    "PutSecretValue": "secretsmanager",
}


class AwsIsAwayError(Exception):
    """AWS cannot be reached."""


def fail_at(operation: str, moment: str) -> None:
    """Make the next call of an AWS operation fail, before or after AWS runs it."""
    service = CLIENT_OF[operation]
    events = client(service).meta.events

    def crash(**_: object) -> None:
        events.unregister(f"{moment}.{service}.{operation}", crash)
        raise AwsIsAwayError

    events.register(f"{moment}.{service}.{operation}", crash)
