"""The passwords of the database's roles."""

import json
from typing import get_args

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import secret_arn
from infra.cdk.constructs.removal import KEEP_DATA
from infra.cdk.database import Role

DATABASE = "spotify"
ROLES: tuple[Role, ...] = get_args(Role)


class DatabaseSecrets(Construct):
    """A secret for each role, made once; the host gives the role the password it holds."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        for role in ROLES:
            secretsmanager.Secret(
                self,
                role,
                secret_name=config.database_secret(role),
                description=f"The login of database role {role}",
                generate_secret_string=secretsmanager.SecretStringGenerator(
                    # A change of this text makes all passwords anew, behind the host's back.
                    secret_string_template=json.dumps(
                        {"username": role, "dbname": DATABASE, "port": 5432}
                    ),
                    generate_string_key="password",
                    exclude_punctuation=True,
                    password_length=40,
                ),
                removal_policy=KEEP_DATA,
            )
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="a new password takes effect by a script on the host, which the owner runs;"
                " the rotation functions of AWS could not reach it from a network without NAT",
            )
        )
        self.arns = [secret_arn(self, config.database_secret(role)) for role in ROLES]
