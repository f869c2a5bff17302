"""README's way to the local cloud by the AWS CLI, with a command that shows its environment."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from infra.local.pidfile import held
from infra.local.state import SUPERVISOR
from tests.unit.cli.cloud_state import a_cloud_state

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_commands_set_every_variable_that_the_aws_cli_needs(tmp_path):
    state = a_cloud_state(access_key="AKIALOCAL", secret_key="test")  # noqa: S106 - an example
    state.save(tmp_path)
    (block,) = re.findall("```bash\n(.*?)\n```", README.read_text(), re.DOTALL)
    plays = shlex.quote(str(Path(sys.executable).with_name("plays")))
    aws = 'aws() { echo "$*"; env | grep -E "^AWS_(ENDPOINT|ACCESS|SECRET|DEFAULT)" | sort; }\n'

    with held(tmp_path / SUPERVISOR):
        said = subprocess.run(  # noqa: S603 - the script is ours
            ["/bin/bash", "-ec", aws + block.replace(".venv/bin/plays", plays)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PLAYS_LOCAL_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert said.splitlines() == [
        "s3 cp my_spotify_data.zip s3://archive/history/me/",
        "AWS_ACCESS_KEY_ID=AKIALOCAL",
        "AWS_DEFAULT_REGION=us-east-1",
        f"AWS_ENDPOINT_URL={state.aws_endpoint}",
        "AWS_SECRET_ACCESS_KEY=test",
    ]
