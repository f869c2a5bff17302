"""The columns that many views share: counts by rule, minutes, skips."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tests.reporting_model.history import RULES, Play
from tests.reporting_model.world import Row


def minutes(ms: int, places: int = 2) -> Decimal:
    """Return milliseconds as minutes, half rounded away from zero as Postgres does."""
    return (Decimal(ms) / 60_000).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def counts(plays: Sequence[Play]) -> Row:
    """Return one count per counting rule, and the listening time."""
    ms = sum(play.ms for play in plays)
    estimated = sum(play.ms for play in plays if play.is_estimate)
    return {
        **{f"plays_{rule}": sum(play.counted[rule] for play in plays) for rule in RULES},
        "ms": ms,
        "ms_estimated": estimated,
        "minutes": minutes(ms),
        "minutes_estimated": minutes(estimated),
    }


def stricter(plays: Sequence[Play]) -> Row:
    """Return the counts of all rules except the one that counts every play."""
    return {f"plays_{rule}": sum(play.counted[rule] for play in plays)
            for rule in RULES if rule != "all"}  # fmt: skip


def times(plays: Sequence[Play]) -> Row:
    """Return the listening time of `counts`."""
    counted = counts(plays)
    names = ("ms", "ms_estimated", "minutes", "minutes_estimated")
    return {name: counted[name] for name in names}


def skips(plays: Sequence[Play]) -> Row:
    known = [play.is_skip for play in plays if play.is_skip is not None]
    return {"skips": sum(known), "skips_known": len(known)}


def skip_rate(plays: Sequence[Play]) -> Fraction | None:
    counted = skips(plays)
    return share(counted["skips"], counted["skips_known"])


def share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def distinct(plays: Sequence[Play], kind: str) -> int:
    """Return the number of distinct artists, tracks or albums of the plays."""
    return len({getattr(play, kind) for play in plays} - {None})
