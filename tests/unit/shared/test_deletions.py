from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from shared.deletions import Deletion, DeletionRule, Undo, archive_key

AT = datetime(2026, 11, 30, 13, 0, 0, 123_456, timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    "conditions", [{}, {"tracks": []}, {"platform": ""}, {"shorter_than_ms": 0}]
)
def test_a_deletion_rule_without_a_condition_is_refused(conditions):
    with pytest.raises(ValidationError):
        DeletionRule(**conditions)


def test_the_archive_key_of_a_deletion_sorts_before_the_key_of_its_undo():
    deletion = Deletion(
        listener="me", rule=DeletionRule(artists=("A",)), deleted_at=AT, deleted_by="a person"
    )
    undo = Undo(listener="me", deleted_at=AT, undone_at=datetime.now(UTC), undone_by="a person")

    keys = [archive_key(deletion), archive_key(undo)]

    assert keys == [
        "deletions/me/2026-11-30T12:00:00.123456Z.json",
        "deletions/me/2026-11-30T12:00:00.123456Z.undone.json",
    ]
    assert sorted(keys) == keys
