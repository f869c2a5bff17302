"""Reads the rows of a Spotify history file: each becomes a play, is skipped or is quarantined.

pydantic-core validates JSON directly into dicts with the field names of `shared.models.Play`. IP
addresses, cities, user names and user agents are never read; `without_persons` removes them
from rows that go into quarantine.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    with_config,
)
from pydantic_core import ErrorDetails, PydanticCustomError, from_json, to_json

# pydantic reads `typing.TypedDict` only from Python 3.12 on.
from typing_extensions import TypedDict

from shared.models import INT4_MAX, ForeignTrackUri, Milliseconds, Text, is_placeholder

REQUEST_EXTENDED = 'request the "Extended streaming history" at spotify.com/account/privacy'
ACCOUNT_DATA = f"account data, which names no track: {REQUEST_EXTENDED}"
NO_URI_LAYOUT = f"old layout without track uris: {REQUEST_EXTENDED}"
OTHER_PACKAGE = frozenset({ACCOUNT_DATA, NO_URI_LAYOUT})
"""Skip reasons of rows from other data of Spotify than the extended streaming history."""
PODCAST, AUDIOBOOK, LOCAL_FILE, NO_URI = (
    "podcast episode",
    "audiobook",
    "local file",
    "no track uri",
)

NOT_AN_OBJECT = "not an object"
NOT_JSON = "not valid JSON"
NOT_UTF8 = "not UTF-8 text"
LONE_SURROGATE = "lone surrogate"

SPOTIFY_BEGAN_AT = datetime(2006, 1, 1, tzinfo=UTC)
CLOCK_SLACK = timedelta(days=1)
"""How long after its upload a play may end: clocks of phones are wrong by hours, not by days."""


class Skipped(NamedTuple):
    """A readable row that is not the play of a track."""

    reason: str


class Quarantined(NamedTuple):
    """An unreadable row; `record` is its content, or None if it is not JSON."""

    reason: str
    record: Any


def _not_in_the_future(ended_at: datetime, info: ValidationInfo[datetime]) -> datetime:
    if ended_at > info.context:
        raise PydanticCustomError("future", "ends more than a day after the upload")
    return ended_at


def _flag(odd: Literal[0, 1, ""]) -> bool | None:
    return None if odd == "" else bool(odd)


def _whole(number: float) -> int:
    if not number.is_integer():
        raise PydanticCustomError("int_type", "not a whole number")
    return int(number)


# Old exports hold null instead of false; others have reported 0, 1 and "". Strict, because lax
# validation would read "no" as false.
Flag = Annotated[
    Annotated[bool, Field(strict=True)]
    | Annotated[Literal[0, 1, ""], AfterValidator(_flag)]
    | None,
    Field(union_mode="left_to_right"),
]
# JSON may write whole numbers as floats: 174424.0. Strict, because text and true are not numbers.
WholeMilliseconds = Annotated[
    Annotated[Milliseconds, Field(strict=True)]
    | Annotated[float, Field(strict=True, ge=0, le=INT4_MAX), AfterValidator(_whole)],
    Field(union_mode="left_to_right"),
]
EndedAt = Annotated[
    AwareDatetime,
    Field(strict=True, ge=SPOTIFY_BEGAN_AT),
    AfterValidator(_not_in_the_future),
]


@with_config(ConfigDict(loc_by_alias=False))
class HistoryPlay(TypedDict):
    """The fields of a `Play` that an export contains, as a dict.

    A dict, because `Play` objects take 9.0 µs a row to validate instead of 4.9 (100,000 rows).
    Only the fields that make a play are required, because Spotify adds, renames and drops others
    from year to year. `played_at` is the export's `ts`, the end of the play.
    """

    played_at: Annotated[EndedAt, Field(validation_alias="ts")]
    ms_played: WholeMilliseconds
    track_uri: Annotated[ForeignTrackUri, Field(validation_alias="spotify_track_uri")]
    track_name: Annotated[Text, Field(validation_alias="master_metadata_track_name")]
    artist_name: Annotated[Text, Field(validation_alias="master_metadata_album_artist_name")]
    album_name: NotRequired[
        Annotated[Text | None, Field(validation_alias="master_metadata_album_album_name")]
    ]
    platform: NotRequired[Text | None]
    country: NotRequired[Annotated[Text | None, Field(validation_alias="conn_country")]]
    reason_start: NotRequired[Text | None]
    reason_end: NotRequired[Text | None]
    shuffle: NotRequired[Flag]
    skipped: NotRequired[Flag]
    offline: NotRequired[Flag]
    incognito: NotRequired[Annotated[Flag, Field(validation_alias="incognito_mode")]]


Rows = list[HistoryPlay | Skipped | Quarantined]


def parse_rows(elements: bytes, uploaded_at: datetime) -> Rows:
    """Read the elements of a JSON list without its brackets.

    Args:
        elements: Complete elements with commas between them, or nothing.
        uploaded_at: A row whose play ends more than a day later is quarantined.

    Returns:
        One entry for each element, in order.

    Raises:
        ValidationError: `elements` is not JSON in UTF-8, or not complete.
    """
    return _ROWS.validate_json(b"[" + elements + b"]", context=uploaded_at + CLOCK_SLACK)


def unparsed(element: bytes) -> Quarantined:
    """Quarantine an element that is not JSON, with the reason, and its content if repairable."""
    try:
        text, halves = _SURROGATE.subn(r"\\ufffd", element.decode())
        reason = LONE_SURROGATE if halves else NOT_JSON
    except UnicodeDecodeError:
        reason, text = NOT_UTF8, element.decode(errors="replace")
    try:
        return Quarantined(reason, from_json(text))
    except ValueError:
        return Quarantined(NOT_JSON, None)


def without_persons(value: Any) -> Any:
    """Copy a JSON value without IP addresses, cities, coordinates, user names and user agents."""
    if isinstance(value, dict):
        return {
            key: without_persons(inner) for key, inner in value.items() if not _PERSONAL.search(key)
        }
    if isinstance(value, list):
        return [without_persons(inner) for inner in value]
    return value


def _sort_out(raw: Any, info: ValidationInfo[datetime]) -> Skipped | Quarantined:
    """Return a row that is not a play as skipped or quarantined, with the reason."""
    if not isinstance(raw, dict):
        return Quarantined(NOT_AN_OBJECT, raw)
    reason = _why_skipped(raw)
    if reason:
        return Skipped(reason)
    return Quarantined(_why_unreadable(raw, info.context), raw)


def _why_skipped(raw: dict[str, Any]) -> str | None:
    if "endTime" in raw and "msPlayed" in raw:
        return ACCOUNT_DATA
    uri = str(raw.get("spotify_track_uri"))
    track_id = uri.removeprefix("spotify:track:")
    if not is_placeholder(track_id):
        return next((why for kind, why in _OTHER_KINDS.items() if uri.startswith(kind)), None)
    if "ts" not in raw:
        return None
    for why, names in _OTHER_NAMES.items():
        if any(raw.get(name) for name in names):
            return why
    if track_id != uri:
        return None  # A track without its id.
    return NO_URI if "spotify_track_uri" in raw else NO_URI_LAYOUT


def _why_unreadable(raw: dict[str, Any], latest: datetime) -> str:
    """Return the first fault of a row that is not a play."""
    # A list or an object is emptied, because no field allows one and it may be long.
    flat = {
        name: [] if isinstance(raw[name], (dict, list)) else raw[name]
        for name in _NAMES
        if name in raw
    }
    try:
        # From JSON, because strict validation of Python values refuses instants as text.
        _PLAY.validate_json(to_json(flat), context=latest)
    except ValidationError as error:
        reason = _reason(_first_fault(error.errors(include_url=False)))
    return reason


def _first_fault(faults: list[ErrorDetails]) -> ErrorDetails:
    """Return the first fault, or a fault of the same field that has its own text in `_KINDS`.

    For example -1.0 has two faults: it is no integer, and it is negative. The second is returned.
    """
    field = faults[0]["loc"][0]
    same = (fault for fault in faults if fault["loc"][0] == field)
    return next((fault for fault in same if (field, fault["type"]) in _KINDS), faults[0])


def _reason(fault: ErrorDetails) -> str:
    """Describe a fault by field and kind, without its value, so that equal faults count as one."""
    field, kind = str(fault["loc"][0]), fault["type"]
    if kind == "missing" or fault["input"] is None:
        kind = "missing"
    elif field == "track_uri":
        lacks_id = is_placeholder(str(fault["input"]).rpartition(":")[2])
        return "track uri without an id" if lacks_id else "bad track uri"
    name = {"played_at": "ts", "track_uri": "track uri"}.get(field, field)
    return f"{name} {_KINDS.get((field, kind)) or _KINDS.get(kind, 'unreadable')}"


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_PERSONAL = re.compile(
    r"(?i)ip_?addr|user_?name|user_?agent|^(city|region|metro_code|latitude|longitude)$"
)
_OTHER_KINDS = {"spotify:local:": LOCAL_FILE, "spotify:episode:": PODCAST}
_OTHER_NAMES = {
    PODCAST: ("spotify_episode_uri", "episode_name", "episode_show_name"),
    AUDIOBOOK: ("audiobook_uri", "audiobook_title", "audiobook_chapter_uri"),
}
_KINDS: dict[str | tuple[str, str], str] = {
    "missing": "missing",
    "string_type": "not text",
    "string_too_long": "longer than 2000 characters",
    "string_pattern_mismatch": "with a NUL character",
    "bool_type": "not true or false",
    "int_type": "not a whole number",
    "future": "in the future",
    ("played_at", "greater_than_equal"): "before Spotify existed",
    ("ms_played", "greater_than_equal"): "negative",
    ("ms_played", "less_than_equal"): "too large",
}
_PLAY = TypeAdapter(HistoryPlay)
_NAMES = [
    field.get("validation_alias", name) for name, field in _PLAY.core_schema["fields"].items()
]
_ROWS: TypeAdapter[Rows] = TypeAdapter(
    list[
        Annotated[
            HistoryPlay | Annotated[Any, AfterValidator(_sort_out)],
            Field(union_mode="left_to_right"),
        ]
    ]
)
