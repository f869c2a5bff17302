"""The command `plays`: operates a deployed pipeline, in AWS or on this machine."""
