"""Simulators of the services that the pipeline asks: Spotify and ReccoBeats.

They speak today's wire formats (November 2026, an app in development mode) over real HTTP, know
every track of `infra.local.catalogue`, and follow one listener who never stops listening. What
else the real ones were seen to do is switched on as a scenario.

Control paths for tests, on the port of each simulator:

- `GET` and `POST /_control/scenario`: see `stage`
- `GET` and `POST /_control/clock` `{"ahead_s": N}`: move the simulated time
- `GET /_control/requests`: number of requests by path, and the latest requests
- `GET /_control/blocked_calls`: number of calls during a block after a 429

On Spotify's alone:

- `POST /_control/plays` `[{"track_number", "played_at"} or a whole play history object, ...]`
- `POST /_control/freeze`, `POST /_control/resume`: the listener stops, and goes on
- `POST /_control/grant` `{"authorized_at": INSTANT}`: when the listener agreed
"""
