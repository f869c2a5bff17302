"""Simulators of the services that the pipeline calls: Spotify and ReccoBeats.

They use today's wire formats (November 2026, an app in development mode) over real HTTP, know every
track of `infra.local.catalogue`, and simulate one listener who never stops listening. Other
behaviour that the real services have shown can be switched on as a scenario.

Control paths for tests, on the port of each simulator:

- `GET` and `POST /_control/scenario`: see `stage`
- `GET` and `POST /_control/clock` `{"ahead_s": N}`: move the simulated time
- `GET /_control/requests`: number of requests by path
- `GET /_control/blocked_calls`: number of calls during a block after a 429
- `POST /_control/plays` `[{"track_number", "played_at"}, ...]`: add plays, on Spotify's only
"""
