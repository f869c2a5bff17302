"""Write sample exports of any length, with the irregularities of real exports.

All plays are invented. The tracks are those that the simulators know.
"""

from infra.local.sample_history.export import HistorySummary, write_history_zip

__all__ = ["HistorySummary", "write_history_zip"]
