"""Sample history exports with the oddities of real ones, and exports of the simulated listener.

`write_history_zip` writes an export of any length; `export_of` tells what the listener of the
simulators played, as an export tells it. All of it is invented, and the tracks are those that
the simulators know.
"""

from infra.local.sample_history.archive import write_export_zip
from infra.local.sample_history.history import write_history_zip
from infra.local.sample_history.live import export_of
from infra.local.sample_history.records import Layout, Record
from infra.local.sample_history.rows import Shares
from infra.local.sample_history.summary import HistorySummary

__all__ = [
    "HistorySummary",
    "Layout",
    "Record",
    "Shares",
    "export_of",
    "write_export_zip",
    "write_history_zip",
]
