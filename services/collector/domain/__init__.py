"""The pure core of live capture: what is new in an answer, and which gaps it opens or closes."""
