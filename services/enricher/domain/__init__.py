"""The pure core of the enricher: what several answers say of a track, and how it joins a play."""
