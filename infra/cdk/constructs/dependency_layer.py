"""The libraries of all functions, as one Lambda layer."""

import hashlib
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.cdk.libraries import INSTALL, LOCK, install_into


class DependencyLayer(lambda_.LayerVersion):
    """A layer that is rebuilt only when the lock or the installation command changes."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        recipe = hashlib.sha256(LOCK.read_bytes() + repr(INSTALL).encode()).hexdigest()
        super().__init__(
            scope,
            construct_id,
            description="Libraries of requirements/runtime.txt",
            compatible_architectures=[lambda_.Architecture.ARM_64],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_14],
            code=lambda_.Code.from_asset(
                str(LOCK.parent),
                asset_hash=recipe,
                asset_hash_type=AssetHashType.CUSTOM,
                bundling=BundlingOptions(
                    # The type requires an image; it is never used, because _ByUv always succeeds.
                    image=lambda_.Runtime.PYTHON_3_14.bundling_image,
                    local=_ByUv(),
                ),
            ),
        )


@jsii.implements(ILocalBundling)
class _ByUv:
    def try_bundle(
        self,
        output_dir: str,
        options: Any = None,  # noqa: ARG002 - jsii calls by this signature
        **_: Any,
    ) -> bool:
        """Install the libraries into the folder of the CDK asset, and return True for success."""
        install_into(Path(output_dir))
        return True
