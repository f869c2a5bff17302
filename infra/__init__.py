"""Where the services run: AWS by CDK, and the local cloud."""
