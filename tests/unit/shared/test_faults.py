import pytest
from pydantic import BaseModel, ValidationError

from shared.faults import faults_of


class Shelf(BaseModel):
    length: int


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
def test_a_fault_names_its_field_but_not_the_value(room, fault):
    with pytest.raises(ValidationError) as refused:
        Room.model_validate(room)

    (text,) = faults_of(refused.value)
    assert text.startswith(fault)
    assert "s3cret" not in text
