"""The secrets that hold the listeners' logins."""

from typing import cast

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import acknowledge, secret_arn
from infra.cdk.names import KEEP_DATA


class ListenerSecrets(Construct):
    """One empty secret for each listener; a login fills it, and no deployment changes it."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        for listener in config.listeners:
            secret = secretsmanager.Secret(
                self,
                listener,
                secret_name=f"{config.listener_secret_prefix}{listener}",
                description=f"The Spotify login of {listener}",
                removal_policy=KEEP_DATA,
            )
            resource = cast(secretsmanager.CfnSecret, secret.node.default_child)
            # Otherwise CDK generates a random value, which would look like a login.
            resource.add_property_deletion_override("GenerateSecretString")
        acknowledge(
            self,
            "AwsSolutions-SMG4",
            reason="Spotify issues the refresh token in it, and the collector stores each new one;"
            " a rotation schedule could not create one",
        )
        names = [f"{config.listener_secret_prefix}{listener}" for listener in config.listeners]
        self.arns = [secret_arn(self, name) for name in names]
