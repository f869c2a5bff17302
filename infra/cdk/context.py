"""Where the configuration comes from: the context of `cdk.json` and of the command line.

`pipeline` holds the values, `pipeline:<target>` what a target changes, and `cdk … -c name=value`
wins over both; a dot reaches inside (`-c loader.timeout_s=5`). Account and region alone come from
the environment, where the CDK command line puts those of the credentials that it finds.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from infra.cdk.config import PipelineConfig
from shared.errors import SettingsError


def load(
    context: Mapping[str, Any], environment: Mapping[str, str] = MappingProxyType({})
) -> PipelineConfig:
    """Read the configuration from a CDK context.

    A name without colon or slash is one of ours, so that a misspelt `-c` is refused, not ignored.

    Args:
        context: Of `cdk.json` and the command line.
        environment: Tells the place, where there are credentials.

    Raises:
        SettingsError: A value is unknown or wrong; names each.
    """
    common = context.get("pipeline", {})
    given = {path: value for path, value in context.items() if not {":", "/"} & set(path)}
    given.pop("pipeline", None)
    target = given.get("target", common.get("target", "aws"))
    values = _merged(_place(environment) | common, context.get(f"pipeline:{target}", {}))
    for path, value in given.items():
        values = _merged(values, _nested(path, value))
    try:
        return PipelineConfig.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'all'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise SettingsError(f"bad configuration: {faults}") from None


def _place(environment: Mapping[str, str]) -> dict[str, Any]:
    """Tell the place; without credentials the CDK knows a region, but no account."""
    account = environment.get("CDK_DEFAULT_ACCOUNT")
    region = environment.get("CDK_DEFAULT_REGION")
    return {"place": {"account": account, "region": region}} if account and region else {}


def _nested(path: str, value: Any) -> dict[str, Any]:
    """Turn `loader.timeout_s` and 5 into `{"loader": {"timeout_s": 5}}`."""
    name, _, rest = path.partition(".")
    return {name: _nested(rest, value) if rest else value}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of values over another."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[name] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return merged
