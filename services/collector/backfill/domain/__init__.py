"""The pure core of the backfill: rows, batches, and the time that an upload covers."""
