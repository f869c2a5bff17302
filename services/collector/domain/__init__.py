"""The pure core of live capture: finds the new plays of an answer, and the gaps."""
