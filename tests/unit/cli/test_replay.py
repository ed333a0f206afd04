"""`undertow replay`: two time lines of a real (simulated) log; wrong input is one line."""

import json

import pytest
from click.testing import CliRunner

from undertow.cli.main import main


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay") / "log"
    arguments = ["simulate", "support", "--out", str(folder), "--weeks", "12", "--queries-per-day", "1500", "-q"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder


def replay(log, *arguments):
    return CliRunner().invoke(main, ["replay", str(log), "-q", *arguments])


def test_a_quarter_of_the_reviews_is_known_later_or_never(log):
    result = replay(log, "--set", "review.per_day=50", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["was"]["known_at"] is not None
    later = document["would_be"]["known_at"]
    assert later is None or later > document["was"]["known_at"]
    assert document["rerouted"]["reviews_left_out"] > 0


def test_a_higher_threshold_leaves_less_to_the_cheap_tier(log):
    result = replay(log, "--set", "policy.threshold=0.9", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["would_be"]["cheap_share"] < document["was"]["cheap_share"]
    assert document["rerouted"]["moved_up"] > 0
    assert any("outcomes are those of what really happened" in note for note in document["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "margin"], "expected KEY=VALUE"),
        (["--set", "monitors.magin=0.1"], "UNDERTOW_MONITORS__MAGIN"),
        ([], "nothing to replay"),
    ],
)
def test_wrong_input_is_one_line(log, arguments, said):
    result = replay(log, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
