"""The process that serves the dashboard: for `plays dashboard` and for the local cloud."""
