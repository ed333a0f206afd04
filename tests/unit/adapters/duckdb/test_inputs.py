"""Finding files: what is read, what is set aside, what is an error and in which words."""

import gzip
from pathlib import Path

import pytest
import zstandard

from undertow.adapters.duckdb import inputs
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.errors import LogError
from unit.adapters.duckdb.logs import decision, read, signal, write_jsonl, write_parquet


def roles(*named: Path | str, **more: object) -> dict[str, str]:
    found = find_files(LogInputs(tuple(map(str, named)), **more))  # type: ignore[arg-type]
    return {Path(file.path).name: file.role for file in found.files}


def test_a_store_is_read_with_its_open_segments(tmp_path: Path) -> None:
    write_parquet(tmp_path / "decisions" / "date=2026-03-01" / "a.parquet", [decision(1)])
    write_jsonl(tmp_path / "decisions" / "open" / "b.jsonl.open", [decision(2)])
    write_jsonl(tmp_path / "signals" / "s.jsonl", [signal(1)])
    write_jsonl(tmp_path / "outcomes" / "o.jsonl", [signal(3)])
    write_jsonl(tmp_path / "calibration" / "other.jsonl", [{"x": 1}])
    assert roles(tmp_path) == {
        "a.parquet": "decisions",
        "b.jsonl.open": "decisions",
        "s.jsonl": "signals",
        "o.jsonl": "outcomes",
    }
    assert read(tmp_path).coverage.decisions == 2


def test_a_segment_and_its_parquet_files_are_one_thing(tmp_path: Path) -> None:
    """Until the marker is there the segment counts, from then on the Parquet files, and never both."""
    part = tmp_path / "decisions"
    write_jsonl(part / "open" / "a.jsonl", [decision(1)])
    write_parquet(part / "date=2026-03-01" / "a.parquet", [decision(1)])
    write_parquet(part / "date=2026-03-01" / "b.parquet", [decision(2)])
    write_jsonl(tmp_path / "intents" / "a.intents", [decision(9)])
    write_jsonl(tmp_path / "state" / "rejects" / "decisions-a.jsonl", [decision(9)])
    for named in (tmp_path, part):
        assert roles(named) == {"a.jsonl": "decisions", "b.parquet": "decisions"}
        assert read(named).coverage.decisions == 2
    (part / "open" / "a.done").touch()
    assert roles(tmp_path) == {"a.parquet": "decisions", "b.parquet": "decisions"}
    assert read(tmp_path).coverage.decisions == 2


def test_an_empty_open_segment_is_nothing_to_speak_of(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "decisions" / "open" / "a.jsonl", [decision(1)])
    write_jsonl(tmp_path / "decisions" / "open" / "b.jsonl.open", [])
    coverage = read(tmp_path).coverage
    assert (coverage.decisions, coverage.rejected, coverage.reasons, coverage.notes) == (1, 0, {}, ())


def test_a_file_that_is_gone_when_it_is_looked_into_has_the_folder_listed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path / "decisions" / "open" / "a.jsonl", [decision(1)])
    write_parquet(tmp_path / "decisions" / "date=2026-03-01" / "b.parquet", [decision(2)])
    look = inputs._look_into

    def converts_meanwhile(path: str) -> str:
        segment = tmp_path / "decisions" / "open" / "a.jsonl"
        if path == str(segment) and segment.exists():
            write_parquet(tmp_path / "decisions" / "date=2026-03-01" / "a.parquet", [decision(1)])
            segment.unlink()
        return look(path)

    monkeypatch.setattr(inputs, "_look_into", converts_meanwhile)
    assert roles(tmp_path) == {"a.parquet": "decisions", "b.parquet": "decisions"}


def test_a_folder_in_which_files_keep_vanishing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = write_jsonl(tmp_path / "a.jsonl", [decision(1)])

    def gone(path: str) -> str:
        raise FileNotFoundError(2, "gone", path)

    monkeypatch.setattr(inputs, "_look_into", gone)
    with pytest.raises(LogError, match="was removed while the log was listed"):
        find_files(LogInputs((str(log),)))


def test_a_flat_folder_is_sorted_by_the_names_of_its_files(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "decisions-1.jsonl", [decision(1)])
    write_jsonl(tmp_path / "signals.jsonl", [signal(1)])
    write_jsonl(tmp_path / "notes.jsonl", [{"x": 1}])
    assert roles(tmp_path) == {"decisions-1.jsonl": "decisions", "signals.jsonl": "signals"}


def test_a_folder_that_does_not_say_is_all_decisions(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "part-0.jsonl", [decision(1)])
    write_parquet(tmp_path / "below" / "part-1.parquet", [decision(2)])
    assert roles(tmp_path) == {"part-0.jsonl": "decisions", "part-1.parquet": "decisions"}


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "a.jsonl", [decision(1)])
    assert read(log, log, tmp_path / "*.jsonl").coverage.decisions == 1


def test_names_with_pattern_characters_mean_themselves(tmp_path: Path) -> None:
    log = write_parquet(tmp_path / "odd [1]*'q?.parquet", [decision(1)])
    write_parquet(tmp_path / "odd 1xq.parquet", [decision(2)])
    assert read(log).coverage.decisions == 1
    lines = write_jsonl(tmp_path / "it's; [DROP].jsonl", [decision(1), decision(2)])
    assert read(lines).coverage.decisions == 2


def test_globs(tmp_path: Path) -> None:
    for i in range(3):
        write_jsonl(tmp_path / f"day={i}" / "x.jsonl", [decision(i)])
    assert read(tmp_path / "day=[01]" / "*.jsonl").coverage.decisions == 2
    with pytest.raises(LogError, match="nothing matches"):
        read(tmp_path / "*.parquet")


def test_a_column_may_be_in_the_folder_names(tmp_path: Path) -> None:
    for tier in ("cheap", "capable"):
        rows = [{key: value for key, value in decision(i).items() if key != "tier"} for i in range(2)]
        for row in rows:
            row["decision_id"] = f"{tier}{row['decision_id']}"
        write_parquet(tmp_path / f"tier={tier}" / "x.parquet", rows)
    cells = read(tmp_path)
    assert cells.tiers == ("cheap", "capable")
    assert cells.coverage.decisions == 4


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_compressed_lines(tmp_path: Path, ending: str) -> None:
    raw = write_jsonl(tmp_path / "x", [decision(i) for i in range(50)]).read_bytes()
    packed = gzip.compress(raw) if ending == "gz" else zstandard.compress(raw)
    target = tmp_path / f"log.jsonl.{ending}"
    target.write_bytes(packed + packed[:0])
    assert read(target).coverage.decisions == 50


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file is empty"),
        (b"PAR1 and then nothing", "truncated Parquet: its footer is missing"),
        (b"%PDF-1.7 ...", "neither Parquet nor JSON lines"),
        (b'[{"decision_id": 1}]', "a JSON array; expected one JSON object a line"),
        (b"\x00\x01\x02", "neither Parquet nor JSON lines"),
    ],
)
def test_files_that_are_no_log(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "log.bin"
    path.write_bytes(content)
    with pytest.raises(LogError, match=complaint) as raised:
        read(path)
    assert "\n" not in str(raised.value)
    # Beside a good one it is set aside and said.
    good = write_jsonl(tmp_path / "good.jsonl", [decision(1)])
    coverage = read(good, path).coverage
    assert coverage.reasons == {"unreadable_file": 1}
    assert any(str(path) in note for note in coverage.notes)


def test_missing_paths_and_folders_of_other_things(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(LogError, match="no Parquet or JSON lines in this folder; it is empty"):
        read(tmp_path / "other")
    (tmp_path / "other" / "photo.jpg").write_bytes(b"x")
    (tmp_path / "other" / "sub").mkdir()
    with pytest.raises(LogError, match=r"it holds 'photo.jpg', 'sub/'"):
        read(tmp_path / "other")
