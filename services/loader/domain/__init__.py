"""The pure core of the loader: which records are one play, and what a merge writes."""
