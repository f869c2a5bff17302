"""The models, and the clients of external systems, that several services use."""
