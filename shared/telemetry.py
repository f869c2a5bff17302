"""The logger and the metrics of Powertools: JSON lines, with metrics in EMF.

The deployment sets the service name and the log level by `POWERTOOLS_*` variables.
"""

from aws_lambda_powertools import Logger, Metrics

NAMESPACE = "SpotifyPipeline"

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)
