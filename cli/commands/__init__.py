"""The commands of `plays`, one module each."""
