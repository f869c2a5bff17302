"""The table of the track cache in moto, and tracks in it that wait for audio features."""

from datetime import UTC, datetime

from services.enricher.cache.pending import INDEX

TRACK_CACHE = "spotify-pipeline-track-cache"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def create_track_cache(dynamodb):
    types = {"track_uri": "S", "misses": "N", "retry_at": "N"}
    index = {
        "IndexName": INDEX,
        "KeySchema": [
            {"AttributeName": "misses", "KeyType": "HASH"},
            {"AttributeName": "retry_at", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    dynamodb.create_table(
        TableName=TRACK_CACHE,
        KeySchema=[{"AttributeName": "track_uri", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": type_} for name, type_ in types.items()
        ],
        GlobalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
    )


def wait_for_features(target, number, misses, retry_at):
    target.client("dynamodb").put_item(
        TableName=TRACK_CACHE,
        Item={
            "track_uri": {"S": f"spotify:track:{number:022}"},
            "misses": {"N": str(misses)},
            "retry_at": {"N": str(int(retry_at.timestamp()))},
        },
    )
