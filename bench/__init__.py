"""Benchmarks of the pipeline and of comparable tools, in one run, on one machine."""
