"""The collector: polls and uploads become batches of plays."""
