"""The CDK app: `cdk synth`, `cdk deploy`."""

import os

from infra.cdk.app_builder import build, new_app
from infra.cdk.config import load

app = new_app()
build(app, load(app.node.get_all_context(), os.environ))
app.synth()
