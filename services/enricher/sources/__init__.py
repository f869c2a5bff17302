"""The sources of audio features, one module each."""
