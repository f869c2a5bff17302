"""The collector: live plays and uploaded history become batches."""
