"""Logs and metrics, by Powertools: JSON lines, and EMF metrics that travel in them.

The service's name, the metrics' namespace and the log level come from the `POWERTOOLS_*`
variables that the deployment sets.
"""

from aws_lambda_powertools import Logger, Metrics

NAMESPACE = "SpotifyPipeline"

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)
