"""What a crashing process, or AWS, does to the collector."""

from shared.aws import client

CLIENT_OF = {
    "PutObject": "s3",
    "SendMessage": "sqs",
    "PutItem": "dynamodb",
    "PutSecretValue": "secretsmanager",
}


class AwsIsAwayError(Exception):
    """No call gets through."""


def fail_at(operation: str, moment: str) -> None:
    """Make the next call of an AWS operation crash, before or after AWS has done it."""
    service = CLIENT_OF[operation]
    events = client(service).meta.events

    def crash(**_: object) -> None:
        events.unregister(f"{moment}.{service}.{operation}", crash)
        raise AwsIsAwayError

    events.register(f"{moment}.{service}.{operation}", crash)
