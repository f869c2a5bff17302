"""Rights that no template may give, and secrets that none may contain."""

import json
from ipaddress import ip_network

from tests.infra.conftest import BY_CDK, EVERY, each_of, listed, offenders


@each_of(EVERY)
def test_no_iam_statement_has_a_wildcard_action(stack):
    actions = {
        action for _, statement in stack.statements() for action in listed(statement["Action"])
    }

    assert not {action for action in actions if "*" in action}


@each_of(EVERY)
def test_no_role_has_a_managed_policy(stack):
    managed = {
        path
        for path, role in stack.resources("AWS::IAM::Role").items()
        if "ManagedPolicyArns" in role["Properties"]
    }

    assert managed <= {f"{BY_CDK}/Role"}


@each_of(EVERY)
def test_no_security_group_is_open_to_the_world(stack):
    groups = stack.resources("AWS::EC2::SecurityGroup").values()
    rules = [
        *(rule for group in groups for rule in group["Properties"].get("SecurityGroupIngress", [])),
        *(
            rule["Properties"]
            for rule in stack.resources("AWS::EC2::SecurityGroupIngress").values()
        ),
    ]

    let_in = {rule[key] for rule in rules for key in ("CidrIp", "CidrIpv6") if key in rule}

    assert {cidr for cidr in let_in if ip_network(cidr).prefixlen < 16} == set()


@each_of(EVERY)
def test_no_secret_is_in_user_data_environment_or_outputs(stack):
    secrets = {f"<{path}>" for path in stack.resources("AWS::SecretsManager::Secret")}
    metadata = [
        stack.readable(each.get("Metadata", {}).get("AWS::CloudFormation::Init", {}))
        for each in stack.template["Resources"].values()
    ]
    revealed = json.dumps(
        [
            metadata,
            stack.readable(stack.template.get("Outputs", {})),
            stack.resources("AWS::EC2::LaunchTemplate"),
            [
                function["Properties"].get("Environment")
                for function in stack.resources("AWS::Lambda::Function").values()
            ],
        ]
    )

    assert "{{resolve:" not in revealed
    assert {secret for secret in secrets if secret in revealed} == set()


@each_of(EVERY)
def test_no_template_contains_a_secret(stack):
    def keeps(secret):
        return "SecretString" not in secret and "password" not in secret.get(
            "GenerateSecretString", {}
        ).get("SecretStringTemplate", "")

    assert offenders(stack, "AWS::SecretsManager::Secret", keeps) == set()
