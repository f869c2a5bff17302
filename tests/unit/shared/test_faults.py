from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, ValidationError

from shared.faults import faults_of


def at_least_1_m(length: int) -> int:
    if length < 1:
        raise ValueError("a shelf is at least 1 m long")
    return length


class Shelf(BaseModel):
    length: Annotated[int, AfterValidator(at_least_1_m)]


class Room(BaseModel):
    shelves: list[Shelf]


@pytest.mark.parametrize(
    ("room", "fault"),
    [
        ({"shelves": [{"length": 1}, {"length": "s3cret"}]}, "shelves.1.length: "),
        ("s3cret", "all: "),
    ],
    ids=["inner field", "whole value"],
)
def test_a_validation_message_names_the_field_but_not_the_value(room, fault):
    with pytest.raises(ValidationError) as refused:
        Room.model_validate(room)

    (text,) = faults_of(refused.value)
    assert text.startswith(fault)
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("length", "reason"),
    [("short", "Input should be a valid integer"), (0, "a shelf is at least 1 m long")],
)
def test_a_validation_message_has_only_field_and_reason(length, reason):
    with pytest.raises(ValidationError) as refused:
        Room.model_validate({"shelves": [{"length": length}]})

    assert faults_of(refused.value) == [f"shelves.0.length: {reason}"]
