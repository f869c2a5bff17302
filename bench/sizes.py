"""What a cold start depends on: the import time of each handler, and the size of the layer."""

import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from infra.cdk.libraries import install_into

HANDLERS = {
    "collector": "services.collector.handler",
    "backfill": "services.collector.backfill.upload_handler",
    "enricher": "services.enricher.handler",
    "healer": "services.enricher.heal",
    "loader": "services.loader.handler",
    "migrator": "services.loader.migrate",
    "queries": "services.loader.queries",
    "derive": "services.loader.derive",
}
IMPORTS = 7

# Lambda's boto3 has no awscrt; the development environment has it, because `plays` needs it.
_TIMED = (
    "import sys, time; sys.modules['awscrt'] = None; "
    "t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
)


def import_ms(module: str) -> float:
    """Return the median time of an import in a fresh interpreter, in milliseconds."""
    command = [sys.executable, "-c", _TIMED.format(module)]
    times_s = [
        float(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - ours
        for _ in range(IMPORTS)
    ]
    return statistics.median(times_s) * 1_000


def layer_mb() -> tuple[float, float]:
    """Build the dependency layer; return its unzipped and its zipped size, MB."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        install_into(root)
        files = [path for path in root.rglob("*") if path.is_file()]
        archive = root / "layer.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as layer:
            for path in files:
                layer.write(path, path.relative_to(root))
        return sum(path.stat().st_size for path in files) / 1e6, archive.stat().st_size / 1e6
