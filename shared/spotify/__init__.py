"""Everything that talks to Spotify: its API, its login, its answers and its rate limits."""
