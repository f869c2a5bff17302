"""The event-driven services: each meets the others at its queues only."""
