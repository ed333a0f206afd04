import gzip

import pytest

from undertow.adapters.importers import import_logs
from undertow.errors import LogError, UsageError


def test_shares_and_hints(load):
    result = load("langfuse_observations.jsonl").result
    shares = {c.column: c.share for c in result.explanation.columns}
    assert shares["decision_id"] == 1.0
    assert shares["tier"] == 0.75  # one of the four failed
    hints = {m.column: m.hint for m in result.explanation.missing}
    assert "traces table" in hints["user_id"]
    assert "causal" in hints["arm"]
    assert [column for column, hint in hints.items() if not hint] == []


def test_progress_is_told(tmp_path, write):
    told = []
    path = write("x.jsonl", *({"ts": 1785585600 + n, "id": str(n), "model": "gpt-4o"} for n in range(11_000)))
    import_logs([path], "csv", tmp_path / "o", progress=lambda stage, done, _: told.append((stage, done)))
    assert [done for stage, done in told if stage.startswith("reading")] == [5000, 10_000]


def test_several_files_compressed_or_not_are_one_log(tmp_path, fixtures, load):
    lines = (fixtures / "litellm_spend_logs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b"".join(lines[:6]))
    (tmp_path / "in" / "b.gz").write_bytes(gzip.compress(b"".join(lines[6:])))
    assert load(tmp_path / "in").decisions == load("litellm_spend_logs.jsonl").decisions


def test_nothing_is_left_behind_but_the_two_files(load, tmp_path):
    load("langfuse_observations.jsonl", "langfuse_traces.jsonl", "langfuse_scores.jsonl")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["decisions.jsonl", "signals.jsonl"]


def test_signals_of_an_earlier_import_do_not_stay(load, tmp_path):
    load("portkey_logs.jsonl")
    assert load("openai_stored.json").result.signals is None
    assert not (tmp_path / "out" / "signals.jsonl").exists()


def test_unknown_and_canonical_formats(tmp_path):
    with pytest.raises(UsageError, match="known: undertow, litellm"):
        import_logs(["x"], "lite", tmp_path)
    with pytest.raises(UsageError, match="read directly"):
        import_logs(["x"], "undertow", tmp_path)


def test_the_wrong_format_says_what_was_seen(tmp_path, fixtures):
    with pytest.raises(
        LogError, match=r"none of the 3 records .* 'openai' \(unknown_record 3\); is it the right --format"
    ):
        import_logs([str(fixtures / "vllm_sr_replay.jsonl")], "openai", tmp_path)


def test_a_file_that_grows_while_it_is_read(tmp_path, write):
    path = write("x.jsonl", *({"ts": 1785585600, "id": str(n), "model": "gpt-4o"} for n in range(6000)))

    def grow(stage, done, total):
        with open(path, "a") as file:  # noqa: PTH123
            file.write('{"ts": 1785585600, "id": "new", "mod')

    result = import_logs([path], "csv", tmp_path / "o", progress=grow)
    assert result.rows == 6000
    assert result.reasons == {"bad_json": 1}
