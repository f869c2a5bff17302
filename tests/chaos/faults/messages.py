"""Faults of queues and of the archive: what they refuse, and messages that arrive twice."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.chaos.scene import Scene


def shuffled(queue: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return a fault that delivers the messages of a queue twice, in another order."""

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        scene.do(lambda: scene.world.consume(queue, enabled=False))
        yield
        if not scene.crashed:
            scene.do(lambda: scene.shuffle(queue))
        scene.do(lambda: scene.world.consume(queue, enabled=True))

    return apply


def queue_refuses(queue: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return a fault in which no function may send to a queue."""

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        url = scene.world.queue_url(queue)
        names = ["Policy", "QueueArn"]

        def read() -> dict[str, str]:
            answer = scene.world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
            return dict(answer["Attributes"])

        def write(policy: str) -> None:
            sqs = scene.world.aws("sqs")
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

        given = scene.do(read)
        refusing = _with_refusal(given["Policy"], "sqs:SendMessage", given["QueueArn"])
        scene.do(lambda: write(refusing))
        yield
        scene.do(lambda: write(given["Policy"]))

    return apply


@contextmanager
def archive_refuses(scene: Scene) -> Iterator[None]:
    """Let no function store the answer of a poll, or the unreadable rows of an upload."""
    bucket = scene.world.bucket
    names = [f"arn:aws:s3:::{bucket}/{prefix}/*" for prefix in ("polls", "quarantine")]

    def read() -> str:
        return str(scene.world.aws("s3").get_bucket_policy(Bucket=bucket)["Policy"])

    def write(policy: str) -> None:
        scene.world.aws("s3").put_bucket_policy(Bucket=bucket, Policy=policy)

    given = scene.do(read)
    scene.do(lambda: write(_with_refusal(given, "s3:PutObject", names)))
    yield
    scene.do(lambda: write(given))


def _with_refusal(policy: str, action: str, resource: str | list[str]) -> str:
    document = json.loads(policy)
    refusal = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
    return json.dumps({**document, "Statement": [*document["Statement"], refusal]})
