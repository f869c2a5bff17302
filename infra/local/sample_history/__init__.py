"""Sample exports of any length, with the oddities of real ones.

All of it is invented. The tracks are those that the simulators know.
"""

from infra.local.sample_history.history import write_history_zip
from infra.local.sample_history.records import Layout, Record
from infra.local.sample_history.rows import Shares
from infra.local.sample_history.summary import HistorySummary

__all__ = ["HistorySummary", "Layout", "Record", "Shares", "write_history_zip"]
