"""The pure core of the enricher: merges answers about a track, and joins features with plays."""
