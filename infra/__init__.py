"""The infrastructure of the services: AWS, deployed with CDK, and the local cloud."""
