"""Simulators of the services that the pipeline asks: Spotify and ReccoBeats.

They speak today's wire formats (November 2026, an app in development mode) over real HTTP, know
every track of `infra.local.catalogue`, and follow one listener who never stops listening.
"""
