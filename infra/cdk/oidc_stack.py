"""Deployment by the workflows on the main branch of one GitHub repository."""

from typing import Any

from aws_cdk import Aws, CfnOutput, DefaultStackSynthesizer, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import allow

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
DUTIES = ("deploy", "file-publishing", "lookup")
"""The roles of `cdk bootstrap` that a deployment assumes."""


class OidcStack(Stack):
    """An identity provider for GitHub's tokens, and the role that they may assume.

    So GitHub stores no AWS key.

    The role may only assume the roles of `cdk bootstrap` in this account and region. Through these
    it can do everything that CloudFormation may do there.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: PipelineConfig, **options: Any
    ) -> None:
        super().__init__(scope, construct_id, **options)
        github = iam.OidcProviderNative(
            self, "GitHub", url=f"https://{ISSUER}", client_ids=[AUDIENCE]
        )
        claims = {
            f"{ISSUER}:aud": AUDIENCE,
            # As GitHub writes it: https://docs.github.com/en/actions/reference/security/oidc
            f"{ISSUER}:sub": f"repo:{config.github_repository}:ref:refs/heads/main",
        }
        role = iam.Role(
            self,
            "Deployer",
            role_name=f"{config.name}-deployer",
            description="The role of GitHub's deployments",
            assumed_by=iam.WebIdentityPrincipal(
                github.oidc_provider_arn, conditions={"StringEquals": claims}
            ),
        )
        role.add_to_policy(allow("sts", "AssumeRole", on=[self._bootstrapped(d) for d in DUTIES]))
        CfnOutput(self, "DeployerRoleArn", value=role.role_arn)

    def _bootstrapped(self, duty: str) -> str:
        """Return the ARN of a role that `cdk bootstrap` makes with its default qualifier."""
        name = f"cdk-{DefaultStackSynthesizer.DEFAULT_QUALIFIER}-{duty}-role"
        return self.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name=f"{name}-{Aws.ACCOUNT_ID}-{Aws.REGION}",
        )
