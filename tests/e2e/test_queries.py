"""The deployed function reads Postgres in its own role, as for `plays` on AWS."""

import json

import pytest
from typer.testing import CliRunner

from cli.main import STACK, app
from cli.queries_function import QueriesFunction
from cli.target import Target
from shared.errors import QueryError

pytestmark = pytest.mark.e2e


@pytest.fixture
def function(local_cloud):
    return QueriesFunction(local_cloud.client("lambda"), local_cloud.output("QueriesFunction"))


class LikeAws(Target):
    """The local cloud as a stack on AWS, where only the function can reach the database."""

    local: Target
    database_url = "postgresql://reader@database.example:5432/spotify"
    report_url = "postgresql://report_reader@database.example:5432/spotify"

    def client(self, service):
        return self.local.client(service)


@pytest.fixture
def like_aws(local_cloud):
    local = local_cloud.target
    target = LikeAws("aws", STACK, local.session)
    object.__setattr__(target, "local", local)
    return target


def test_the_deployed_queries_function_reads_rows_as_role_reader(function):
    sql = "SELECT current_user::text, :n::integer + 1, count(*) > 0 FROM migration"

    assert function.run(sql, n=1) == [["reader", 2, True]]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO poll (origin) VALUES ('a') RETURNING 1", "read-only transaction"),
        ("SELECT 1; SELECT 2", "multiple commands"),
        ("SELECT repeat('x', 1000) FROM generate_series(1, 6000)", "larger than 5 MB: read it in"),
    ],
    ids=["a write", "two statements", "too much"],
)
def test_the_deployed_queries_function_refuses_writes_and_large_results(
    function, statement, reason
):
    with pytest.raises(QueryError, match=reason):
        function.run(statement)


def test_a_query_result_of_almost_5_mb_arrives_completely(function):
    rows = function.run("SELECT repeat('素', 330) FROM generate_series(1, 4900)")

    assert rows == [["素" * 330]] * 4_900


def test_plays_status_on_aws_needs_no_tunnel(like_aws, local_cloud):
    result = CliRunner().invoke(app, ["status", "--json"], obj=lambda: like_aws)

    assert json.loads(result.stdout)["rows"] == local_cloud.run_json("status")["rows"]


def test_plays_sql_queries_the_local_database_as_reader(local_cloud):
    assert local_cloud.run_json("sql", "SELECT current_user AS role") == [{"role": "reader"}]
