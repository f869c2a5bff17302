"""What GitHub may do here, and who may ask for it."""

import pytest

SUBJECT = "token.actions.githubusercontent.com:sub"


def trust(stack):
    [statement] = stack.properties("Deployer")["AssumeRolePolicyDocument"]["Statement"]
    return statement


def test_without_a_repository_nobody_deploys_but_a_person(aws):
    assert set(aws) == {"SpotifyData", "SpotifyPipeline"}


def test_the_role_opens_to_tokens_of_the_main_branch_and_no_others(deployer):
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


def test_a_repository_with_numbers_is_known_by_them(synthesised):
    stack = synthesised(github_repository="anna@1/plays@2")["SpotifyDeployer"]

    claims = trust(stack)["Condition"]["StringEquals"]

    assert claims[SUBJECT] == "repo:anna@1/plays@2:ref:refs/heads/main"


def test_the_role_can_take_the_roles_of_the_bootstrap_and_nothing_else(deployer):
    name = "arn:<AWS::Partition>:iam::<AWS::AccountId>:role/cdk-hnb659fds"
    here = "<AWS::AccountId>-<AWS::Region>"

    assert deployer.rights("Deployer") == {
        ("sts:AssumeRole", f"{name}-{duty}-role-{here}")
        for duty in ("deploy", "file-publishing", "lookup")
    }
    assert "ManagedPolicyArns" not in deployer.properties("Deployer")


@pytest.mark.parametrize("name", ["SpotifyData", "SpotifyPipeline"])
def test_what_github_deploys_is_what_a_person_deploys(aws, by_github, name):
    assert by_github[name].template == aws[name].template
