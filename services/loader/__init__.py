"""The loader: enriched batches become rows in Postgres, each play once."""
