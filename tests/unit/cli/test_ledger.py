import json
import stat

import pytest
from click.testing import CliRunner

from undertow.cli.main import main


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger") / "log"
    arguments = ["simulate", "support", "--out", str(folder), "--weeks", "8", "--queries-per-day", "800", "-q"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder


def test_it_prints_the_book_and_writes_every_line(log, tmp_path):
    result = CliRunner().invoke(main, ["ledger", str(log), "-q", "--by", "version", "--csv", str(tmp_path / "l.csv")])
    assert result.exit_code == 0, result.output
    assert "By policy version" in result.stdout
    assert (tmp_path / "l.csv").read_text().count("\n") > 10


def test_the_lines_are_written_as_a_whole_and_for_few_eyes(log, tmp_path, monkeypatch):
    target = tmp_path / "l.csv"
    arguments = ["ledger", str(log), "-q", "--csv", str(target)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    target.write_text("as it was")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("undertow.cli.atomic_write.os.replace", fails)
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, target.read_text()) == (2, "as it was")
    assert "No space left on device" in result.stderr


def test_a_folder_that_is_not_there_is_told_before_the_work(log, tmp_path):
    result = CliRunner().invoke(main, ["ledger", str(log), "-q", "--csv", str(tmp_path / "no" / "l.csv")])
    assert result.exit_code == 2
    assert "its folder is not there" in result.stderr


def test_json_is_all_there_is(log):
    result = CliRunner().invoke(main, ["ledger", str(log), "-q", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schema"] == "undertow.ledger/1"


def test_no_log_is_one_line(tmp_path):
    result = CliRunner().invoke(main, ["ledger", str(tmp_path / "no"), "-q"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
