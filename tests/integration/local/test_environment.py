import os

from infra.local.aws import LocalAws, client
from infra.local.environment import clean, local_aws

REAL_ACCOUNT = {
    "AWS_PROFILE": "my-employer",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_CONFIG_FILE": "/home/me/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "SPOTIFY_CLIENT_SECRET": "real",
    "PYTHONPATH": "/elsewhere",
    "NODE_OPTIONS": "--inspect",
}


def test_environment_variables_of_a_real_aws_account_are_removed():
    seen = clean(REAL_ACCOUNT | {"PATH": "/usr/bin"})

    assert not set(seen) & set(REAL_ACCOUNT)


def test_local_aws_calls_use_only_the_local_administrator_key():
    seen = local_aws("AKIAHOME", REAL_ACCOUNT)

    assert not {"real", "AKIAREAL", "my-employer"} & set(seen.values())
    assert seen["AWS_ACCESS_KEY_ID"] == "AKIAHOME"
    assert seen["AWS_CONFIG_FILE"] == seen["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert "AWS_SESSION_TOKEN" not in seen


def test_local_servers_are_not_called_through_a_proxy():
    seen = clean({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "intranet"})

    assert seen["HTTPS_PROXY"] == "http://proxy:3128"
    assert seen["NO_PROXY"] == seen["no_proxy"] == "127.0.0.1,localhost,intranet"


def test_node_of_the_virtual_environment_comes_first_on_the_path():
    first, *_, last = clean({"PATH": "/usr/bin"})["PATH"].split(os.pathsep)

    assert os.access(f"{first}/node", os.X_OK)
    assert last == "/usr/bin"


def test_a_local_boto3_client_ignores_real_aws_credentials(monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[profile my-employer]\nregion = eu-west-1\nuse_dualstack_endpoint = true\n")
    for name, value in (REAL_ACCOUNT | {"AWS_CONFIG_FILE": str(config)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")

    s3 = client("s3", LocalAws("http://127.0.0.1:1", "AKIAHOME"))

    url = s3.generate_presigned_url("get_object", Params={"Bucket": "archive", "Key": "key"})
    assert url.startswith("http://127.0.0.1:1/archive/key?")
    assert "AKIAREAL" not in url
    assert s3.meta.region_name == "us-east-1"
    assert s3.meta.config.proxies == {}
