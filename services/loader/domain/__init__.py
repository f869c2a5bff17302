"""The pure core of the loader: when two records are one play, and what a merge writes."""
