"""Sample history exports with the oddities of real ones.

All of it is invented, and the tracks are those that the simulators know.
"""

from infra.local.sample_history.history import write_history_zip
from infra.local.sample_history.rows import Shares
from infra.local.sample_history.summary import HistorySummary

__all__ = ["HistorySummary", "Shares", "write_history_zip"]
