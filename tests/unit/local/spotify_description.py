"""Spotify's web API by its OpenAPI description, corrected where that is known to be wrong.

The description is no part of this repository: it lies beside a checkout, or where
SPOTIFY_OPENAPI says. Every mend has its reason; the sources of the observed answers stand in
`infra.local.simulators.refusals` and `infra.local.simulators.app_kinds`.
"""

import os
from copy import deepcopy
from pathlib import Path

import yaml
from openapi_core import Config, OpenAPI

from infra.local.state import REPOSITORY

BESIDE = REPOSITORY.parent / "shared" / "openapi" / "spotify-web-api.yml"
PATH = Path(os.environ.get("SPOTIFY_OPENAPI") or BESIDE)

SERVED = (
    *("/me/player/recently-played", "/tracks/{id}", "/tracks"),
    *("/audio-features/{id}", "/audio-features"),
)

# The description requires next to nothing and forbids nothing: so everything is required, and
# nothing else is allowed.
STRICT = Config(
    additional_properties_default_policy="forbid", response_properties_default_policy="required"
)

ABSENT = {
    "old-app": {
        # Only where a market is asked for, or something must not be played.
        "TrackObject": ("is_playable", "linked_from", "restrictions"),
        "AlbumBase": ("restrictions",),
        # A track has the ISRC only.
        "ExternalIdObject": ("ean", "upc"),
        # Documented, but in none of 48,310 real answers.
        "CursorPagingObject": ("total",),
    }
}
# Development mode lost these in February 2026, though AlbumBase requires its own.
ABSENT["normal"] = ABSENT["old-app"] | {
    "TrackObject": (*ABSENT["old-app"]["TrackObject"], "popularity", "available_markets"),
    "AlbumBase": ("restrictions", "available_markets"),
}
# A newer app's track objects were seen without.
ABSENT["new-app"] = ABSENT["normal"] | {
    "TrackObject": (*ABSENT["normal"]["TrackObject"], "external_ids"),
}


def load():
    """Read the description as it is."""
    return yaml.load(PATH.read_bytes(), yaml.CSafeLoader)


def mended(description, app):
    """Mend the description for a kind of app, and compile it."""
    description = deepcopy(description)
    components = description["components"]
    # The simulator serves them on loopback.
    description["servers"] = [{"url": "/v1"}]
    description["paths"] = {path: description["paths"][path] for path in SERVED}
    # The checker knows no OAuth 2; on the wire it is a bearer token (RFC 6750).
    components["securitySchemes"]["oauth_2_0"] = {"type": "http", "scheme": "bearer"}
    for name, fields in ABSENT[app].items():
        _remove(components["schemas"][name], fields)
    _mend_schemas(components["schemas"])
    _mend_answers(components["responses"])
    _add_refusals(description["paths"])
    return OpenAPI.from_dict(description, config=STRICT)


def _remove(schema, fields):
    for field in fields:
        del schema["properties"][field]
    # The schema calls an empty list an error, and STRICT makes the list needless.
    schema.pop("required", None)


def _mend_schemas(schemas):
    # An empty window has none of both.
    schemas["CursorPagingObject"]["properties"]["next"]["nullable"] = True
    schemas["CursorObject"]["nullable"] = True
    # Most plays have none.
    schemas["ContextObject"]["nullable"] = True
    # Real data holds 1; the description begins at 3.
    schemas["TimeSignature"]["minimum"] = 1
    # The message may be missing (audio features), and QUOTA_EXCEEDED comes with a reason.
    told = schemas["ErrorObject"]["properties"] | {"reason": {"type": "string"}}
    schemas["ErrorObject"] = {
        "anyOf": [
            {"type": "object", "properties": {name: told[name] for name in names}}
            for names in (("status",), ("status", "message"), ("status", "message", "reason"))
        ]
    }
    # The checker's strictness does not see through a composition.
    for name in ("CursorPagingPlayHistoryObject", "SimplifiedAlbumObject"):
        schemas[name] = _merged(schemas, name)


def _merged(schemas, name):
    """Make one schema of an object that is described as the sum of others."""
    parts = (
        schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for part in schemas[name]["allOf"]
    )
    return {
        "type": "object",
        "properties": {k: v for p in parts for k, v in p["properties"].items()},
    }


def _mend_answers(responses):
    # What comes from a gateway is plain text.
    for name in ("Forbidden", "TooManyRequests"):
        responses[name]["content"]["text/plain"] = {"schema": {"type": "string"}}
    # An unknown id gives null in its place.
    for answer, key, schema in (
        ("ManyTracks", "tracks", "TrackObject"),
        ("ManyAudioFeatures", "audio_features", "AudioFeaturesObject"),
    ):
        content = responses[answer]["content"]["application/json"]["schema"]
        content["properties"][key]["items"] = {
            "anyOf": [
                {"$ref": f"#/components/schemas/{schema}"},
                {"type": "string", "nullable": True, "enum": [None]},
            ]
        }


def _add_refusals(paths):
    # Operations name only 401, 403 and 429; the page on status codes has the others for all.
    json = {"$ref": "#/components/responses/BadRequest"}
    text = {"description": "From a gateway", "content": {"text/plain": {"schema": {}}}}
    for operations in paths.values():
        operations["get"]["responses"] |= {"400": json, "404": json, "502": text, "503": json}
