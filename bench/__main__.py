"""Measure the pipeline and comparable tools (dlt, COPY) in one run, and print JSON lines.

Machines are noisy: compare ratios within one run, not seconds of two runs. Each figure is printed
with its budget. Nothing here fails on a slow machine.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import (
    chain,
    insight,
    local_cloud,
    peers,
    pipeline,
    postgres,
    refreshes,
    sizes,
    verification,
)
from infra.local.sample_history import HistorySummary, write_history_zip
from shared.models import PLAYS_PER_BATCH
from shared.postgres import Database
from shared.telemetry import logger

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
ROUNDS = 3
"""Runs with the smallest history; their median is printed."""

WARM_UP_PLAYS = 3_000
"""Plays loaded into the local cloud first, so that its functions are warm, as the peers' imports
and connections are. After that, 0.6 % of the history's tracks are known."""

KNOWN_CALLS = {"s3", "sqs", "dynamodb", pipeline.FEATURES}

TABLES = "listening_history, merged_record, track_features, poll, gap, loaded_batch, import_report"


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    arguments = _arguments()
    # The migrations' log lines would mix with the figures.
    logger.setLevel("WARNING")
    _print(measure="machine", python=sys.version.split()[0], time=datetime.now(UTC).isoformat())
    if not arguments.skip_sizes:
        _measure_sizes()
    rates: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _measure_chain(Path(folder) / "chain")
        for plays in arguments.plays:
            history = Path(folder) / f"history-{plays}.zip"
            _progress(f"writing a history of {plays:,} plays")
            summary = write_history_zip(history, plays=plays, until=UNTIL)
            rounds = ROUNDS if plays == min(arguments.plays) else 1
            rates[plays] = _measure_backfill(history, summary, rounds, Path(folder) / f"{plays}")
            if plays == min(arguments.plays):
                _measure_smallest(arguments, history, summary, Path(folder))
        if not arguments.skip_insight:
            for facts in insight.measure(max(arguments.plays), Path(folder) / "insight", _progress):
                _print(**facts)
    if len(rates) > 1:
        small, large = min(rates), max(rates)
        growth = rates[large] / rates[small]
        _print(measure="growth", plays=[small, large], ratio=round(growth, 2), budget=">= 0.80")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--plays",
        type=int,
        nargs="+",
        default=[100_000, 1_000_000],
        help="sizes of the history (default: 100000 1000000)",
    )
    parser.add_argument("--skip-sizes", action="store_true", help="no import times, no layer size")
    parser.add_argument("--skip-insight", action="store_true", help="no dashboard, no refreshes")
    parser.add_argument("--skip-local-cloud", action="store_true", help="no load in a local cloud")
    return parser.parse_args()


def _measure_smallest(
    arguments: argparse.Namespace, history: Path, summary: HistorySummary, folder: Path
) -> None:
    """Run the measurements that need only the smallest history."""
    if not arguments.skip_insight:
        _print(**refreshes.backfill(history, summary, ROUNDS, folder / "marks", _progress))
    if not arguments.skip_local_cloud:
        _measure_local_cloud(history, summary, folder / "cloud")


def _measure_sizes() -> None:
    _progress("importing each handler")
    for name, module in sizes.HANDLERS.items():
        took_ms = round(sizes.import_ms(module))
        _print(measure="import", handler=name, ms=took_ms, budget_ms=350)
    _progress("building the layer")
    unzipped, zipped = sizes.layer_mb()
    _print(
        measure="layer",
        unzipped_mb=round(unzipped, 1),
        zipped_mb=round(zipped, 1),
        budget_mb=[20, 6],
    )


def _measure_chain(home: Path) -> None:
    """Load a short and a long chain of plays to merge, in turn (`bench.chain` describes a chain).

    The rates of both, in plays per second, are equal if load time is linear.
    """
    taken: dict[int, list[float]] = {chain.SHORT: [], chain.LONG: []}
    with postgres.running(home) as (owner, address_of):
        database = Database.connect(address_of("loader"))
        for number in range(ROUNDS):
            _progress(f"a chain of {chain.LONG:,} plays, round {number + 1} of {ROUNDS}")
            for plays, seconds in taken.items():
                owner.run(f"TRUNCATE {TABLES}")
                seconds.append(chain.seconds(plays, database))
        database.close()
    rates = [plays / statistics.median(seconds) for plays, seconds in taken.items()]
    _print(
        measure="chain",
        plays=[*taken],
        rounds=ROUNDS,
        plays_per_s=[round(rate) for rate in rates],
        ratio=round(rates[1] / rates[0], 2),
        budget="ratio >= 0.8; quadratic load time would give 0.2",
    )


def _measure_backfill(history: Path, summary: HistorySummary, rounds: int, home: Path) -> float:
    """Load a history through the pipeline, dlt and COPY; return the pipeline's plays per second."""
    ours, dlt, copy = [], [], []
    with postgres.running(home) as (owner, address_of):
        postgres.leave_marks(owner)
        for number in range(rounds):
            _progress(f"{summary.rows:,} plays, round {number + 1} of {rounds}")
            owner.run(f"TRUNCATE {TABLES}")
            run = pipeline.load(history, address_of("loader"))
            rows = owner.run("SELECT count(*) FROM listening_history")[0][0]
            if rows != summary.distinct_plays:
                raise RuntimeError(
                    f"the pipeline stored {rows} plays, expected {summary.distinct_plays}"
                )
            ours.append(run.seconds)
            verified_s, verified_mib = verification.verify(history, address_of("reader"))
            owner.run(f"TRUNCATE {TABLES}")
            dlt.append(peers.by_dlt(history, address_of("migrator"), home / f"dlt-{number}"))
            copy.append(peers.by_copy(history, address_of("migrator")))
    rate, dlt_rate, copy_rate = (
        summary.rows / statistics.median(times) for times in (ours, dlt, copy)
    )
    _print(
        measure="backfill",
        plays=summary.rows,
        distinct_tracks=summary.distinct_tracks,
        rounds=rounds,
        plays_per_s={"ours": round(rate), "dlt": round(dlt_rate), "copy": round(copy_rate)},
        to_dlt=round(rate / dlt_rate, 2),
        to_copy=round(rate / copy_rate, 2),
        budget="to_dlt >= 2, goal 3; to_copy goal 0.30",
    )
    _print_usage(summary, run)
    _print(
        measure="verify",
        plays=summary.distinct_plays,
        plays_per_s=round(summary.distinct_plays / verified_s),
        peak_mib=round(verified_mib),
        budget="plays_per_s >= 10000; memory does not grow with the plays",
    )
    return rate


def _print_usage(summary: HistorySummary, run: pipeline.Run) -> None:
    _print(
        measure="memory",
        plays=summary.rows,
        peak_mib={name: round(mib) for name, mib in run.peak_mib.items()},
        budget="backfill and loader <= 256",
    )
    _print(
        measure="processor",
        plays=summary.rows,
        us_per_play={name: round(s / summary.rows * 1e6, 1) for name, s in run.cpu_s.items()},
    )
    tracks = summary.distinct_tracks
    calls = sum((Counter(each) for each in run.calls.values()), Counter[str]())
    features = calls[pipeline.FEATURES]
    _print(
        measure="calls",
        plays=summary.rows,
        features=features,
        distinct_tracks=tracks,
        features_per_40_tracks=round(features / math.ceil(tracks / 40), 2),
        to_other_hosts=sum(n for host, n in calls.items() if host not in KNOWN_CALLS),
        budget="features_per_40_tracks <= 2.1; to_other_hosts 0",
    )
    # Sends are counted; receives and deletes of up to ten messages each are computed.
    for name in ("backfill", "enricher"):
        requests = run.calls[name]["sqs"] * (1 + 2 / pipeline.MESSAGES_PER_INVOCATION)
        _print(
            measure="sqs requests",
            hop=name,
            plays=summary.rows,
            per_100_plays=round(requests / summary.rows * 100, 2),
            budget=1,
            most_plays_per_message=PLAYS_PER_BATCH,
        )


def _measure_local_cloud(history: Path, summary: HistorySummary, home: Path) -> None:
    """Load one history alternately through a new, warmed-up local cloud and with dlt."""
    warm_up = history.with_name("warm-up.zip")
    # Without a discount there are few tracks.
    write_history_zip(warm_up, plays=WARM_UP_PLAYS, seed=2, until=UNTIL, discount=0)
    ours, dlt = [], []
    for number in range(ROUNDS):
        _progress(f"{summary.rows:,} plays through the local cloud, round {number + 1} of {ROUNDS}")
        here = home / f"{number}"
        with local_cloud.running(here / "cloud") as state:
            local_cloud.load(warm_up, state, listener=local_cloud.WARM_UP)
            ours.append(local_cloud.load(history, state))
        with postgres.running(here / "peer") as (_, address_of):
            dlt.append(peers.by_dlt(history, address_of("migrator"), here / "dlt"))
    seconds, dlt_seconds = statistics.median(ours), statistics.median(dlt)
    _print(
        measure="local cloud",
        plays=summary.rows,
        distinct_tracks=summary.distinct_tracks,
        rounds=ROUNDS,
        plays_per_s={
            "ours": round(summary.rows / seconds),
            "dlt": round(summary.rows / dlt_seconds),
        },
        to_dlt=round(dlt_seconds / seconds, 2),
        budget="to_dlt >= 1",
    )


def _progress(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def _print(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
