"""The models, and the clients of the outside world that several services use."""
