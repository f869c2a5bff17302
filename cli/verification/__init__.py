"""Compares the archive with Postgres: what should be stored, what is, and how they differ."""
