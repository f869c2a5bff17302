"""Every reader of foreign bytes."""

from tests.fuzz import (
    archived_answers,
    history_json,
    merges,
    postgres,
    queue_messages,
    reccobeats_answers,
    retry_after,
    s3_events,
    spotify_answers,
    stored_items,
    zips,
)

TARGETS = {
    target.name: target
    for target in (
        history_json.TARGET,
        zips.TARGET,
        s3_events.TARGET,
        *queue_messages.TARGETS,
        *spotify_answers.TARGETS,
        reccobeats_answers.TARGET,
        retry_after.TARGET,
        *stored_items.TARGETS,
        archived_answers.TARGET,
        *postgres.TARGETS,
        merges.TARGET,
    )
}
