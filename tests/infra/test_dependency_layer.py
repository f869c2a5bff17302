import re

from infra.cdk.libraries import INSTALL, LOCK


def test_the_layer_is_for_the_runtime_of_the_functions(on_aws):
    layer = on_aws.properties("Functions/Dependencies")

    assert layer["CompatibleArchitectures"] == ["arm64"]
    assert layer["CompatibleRuntimes"] == ["python3.14"]
    assert {"--python-platform=aarch64-manylinux2014", "--python-version=3.14"} <= set(INSTALL)


def test_the_layer_holds_exactly_the_locked_libraries():
    assert {"--require-hashes", "--no-deps"} <= set(INSTALL)


def test_the_lock_leaves_boto3_to_the_runtime():
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.MULTILINE))

    assert {"aws-lambda-powertools", "pg8000", "pydantic", "requests"} <= locked
    assert not {"boto3", "botocore", "aws-xray-sdk"} & locked
