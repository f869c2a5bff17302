"""The enricher: batches gain the audio features and popularity of their tracks."""
