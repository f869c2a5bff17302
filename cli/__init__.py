"""The command `plays`: looks after a deployed pipeline, in AWS or on this machine."""
