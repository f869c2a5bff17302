"""The AWS rights of GitHub's workflows."""

import pytest

SUBJECT = "token.actions.githubusercontent.com:sub"


def trust(stack):
    [statement] = stack.properties("Deployer")["AssumeRolePolicyDocument"]["Statement"]
    return statement


def test_without_a_github_repository_there_is_no_deployer_stack(aws):
    assert set(aws) == {"SpotifyData", "SpotifyPipeline"}


def test_only_github_tokens_of_main_can_assume_the_deployer_role(deployer):
    assert trust(deployer) == {
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Effect": "Allow",
        "Principal": {"Federated": "<GitHub>"},
        "Condition": {
            "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                SUBJECT: "repo:anna/plays:ref:refs/heads/main",
            }
        },
    }
    assert deployer.properties("GitHub") == {
        "Url": "https://token.actions.githubusercontent.com",
        "ClientIdList": ["sts.amazonaws.com"],
        "Tags": [{"Key": "project", "Value": "spotify-pipeline"}],
    }


def test_a_repository_configured_with_ids_is_trusted_only_if_its_token_has_those_ids(synthesised):
    stack = synthesised(github_repository="anna@1/plays@2")["SpotifyDeployer"]

    claims = trust(stack)["Condition"]["StringEquals"]

    assert claims[SUBJECT] == "repo:anna@1/plays@2:ref:refs/heads/main"


def test_the_deployer_role_can_only_assume_the_cdk_bootstrap_roles(deployer):
    name = "arn:<AWS::Partition>:iam::<AWS::AccountId>:role/cdk-hnb659fds"
    here = "<AWS::AccountId>-<AWS::Region>"

    assert deployer.rights("Deployer") == {
        ("sts:AssumeRole", f"{name}-{duty}-role-{here}")
        for duty in ("deploy", "file-publishing", "lookup")
    }
    assert "ManagedPolicyArns" not in deployer.properties("Deployer")


@pytest.mark.parametrize("name", ["SpotifyData", "SpotifyPipeline"])
def test_enabling_github_deployment_does_not_change_the_other_templates(aws, by_github, name):
    assert by_github[name].template == aws[name].template
