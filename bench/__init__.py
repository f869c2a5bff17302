"""Benchmarks: the pipeline beside its peers, in one run, on one machine."""
