"""The commands of `plays`, one file each."""
