"""README's way to the local cloud by the AWS CLI, with a command that shows its environment."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_commands_set_all_variables_of_the_aws_cli(tmp_path):
    state = {
        "aws_endpoint": "http://127.0.0.1:4566",
        "region": "us-east-1",
        "access_key": "AKIALOCAL",
        "secret_key": "test",
        "bucket": "archive",
        "other": "{}",
    }
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "cloud.json").write_text(json.dumps(state))
    (block,) = re.findall("```bash\n(.*?)\n```", README.read_text(), re.DOTALL)
    script = block.replace(".venv/bin/python", shlex.quote(sys.executable))
    aws = 'aws() { echo "$*"; env | grep -E "^AWS_(ENDPOINT|ACCESS|SECRET|DEFAULT)" | sort; }\n'

    said = subprocess.run(  # noqa: S603 - the script is ours
        ["/bin/bash", "-ec", aws + script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said.splitlines() == [
        "s3 cp my_spotify_data.zip s3://archive/history/me/",
        "AWS_ACCESS_KEY_ID=AKIALOCAL",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "AWS_SECRET_ACCESS_KEY=test",
    ]
