"""JSON nested beyond what any parser follows, wherever the keeper and its commands read files that others may have written."""

from datetime import UTC, datetime

import pytest

from undertow.adapters.judges.book import JudgeBook, read_anchors
from undertow.adapters.reviews.exchange import file_records
from undertow.adapters.reviews.store import StoreReviews
from undertow.adapters.store.rates_file import read_rates
from undertow.adapters.store.row_log import CALLS, PAIRS, SAMPLED, VOTES, read_rows
from undertow.adapters.store.watching_calls import watching_cost
from undertow.adapters.store.watching_spend import StoreSpendBook
from undertow.adapters.suites.runs import StoreRuns
from undertow.adapters.tuning.book import StoreBook
from undertow.bootstrap.keeper import read_keeper_plan
from undertow.bootstrap.plan_file import read_plan
from undertow.errors import ConfigError, DataError, LogError
from undertow.keeper.storing import Storing
from undertow.records.judged import ANCHOR_RESULTS, JUDGE_STATE, JudgeState
from undertow.records.review import CLAIMS, IMPORTS, SEEDS
from undertow.records.runtime_files import SAMPLING, WATCHING_SPEND
from undertow.records.tuning import HISTORY, MEMORY
from undertow.records.watched import SampledText
from undertow.suites.cases import read_suite

NESTED = b'{"new_field": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
ROWS = (SAMPLED, PAIRS, CALLS, VOTES)


@pytest.fixture
def store(tmp_path):
    """A store each file of which is such a document, a whole line of it."""
    for folder in (*ROWS, "decisions/open", "signals/open", "intents", "state"):
        (tmp_path / folder).mkdir(parents=True)
    for name in (JUDGE_STATE, ANCHOR_RESULTS, SAMPLING, WATCHING_SPEND, CLAIMS, SEEDS, IMPORTS, HISTORY, MEMORY):
        (tmp_path / name).write_bytes(NESTED + b"\n")
    for folder in (*ROWS, "decisions/open", "signals/open"):
        (tmp_path / folder / "20260301T120000000Z-w0-0123456789ab-000001.jsonl").write_bytes(NESTED + b"\n")
    (tmp_path / "intents" / "20260301T120000000Z-w0-0123456789ab-000001.intents").write_bytes(NESTED + b"\n")
    return tmp_path


def test_rows_are_counted_as_broken(store):
    assert read_rows(store, SAMPLED, SampledText).broken == 1
    assert JudgeBook(store).waiting(JudgeState()).broken == 1
    assert watching_cost([store], 86_400).broken == 1
    assert StoreReviews(store, "review").material().broken == 5


def test_state_that_can_be_made_anew_is(store):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
    assert StoreSpendBook(store, clock=lambda: noon).reserve("shadow", 0.5, 1.0, day="2026-03-01")
    assert read_rates(store) is None
    assert JudgeBook(store).salt() == "undertow"
    assert JudgeBook(store).results() == []
    assert StoreReviews(store, "review").claims() == ()


def test_state_that_cannot_is_one_line_of_error(store):
    def history():
        (store / HISTORY).write_bytes(NESTED + b"\n" + NESTED + b"\n")
        StoreBook(store).history()

    plan = store / "plan.json"
    plan.write_bytes(NESTED)
    for read, error in (
        (JudgeBook(store).state, ConfigError),
        (StoreBook(store).memory, ConfigError),
        (history, ConfigError),
        (lambda: read_anchors(plan), ConfigError),
        (lambda: read_keeper_plan(plan), ConfigError),
        (lambda: read_plan(plan, {}), ConfigError),
        (lambda: read_suite("s", NESTED, schema_is_usable=bool, pattern_is_usable=bool), DataError),
    ):
        with pytest.raises(error) as raised:
            read()
        assert "\n" not in str(raised.value)
        assert "[[[" not in str(raised.value)


def test_a_damaged_run_of_a_suite_is_named(store):
    book = StoreRuns(store)
    book.prepare("s")
    (next(store.glob("**/s")) / "20260301T120000000Z-00ff00.jsonl").write_bytes(NESTED + b"\n")
    with pytest.raises(LogError, match="damaged"):
        book.runs("s", 10)


def test_an_imported_record_is_set_aside_with_its_reason(store):
    labels = store / "labels.jsonl"
    labels.write_bytes(NESTED + b'\n{"decision_id": "d"}\n')
    first, second = file_records(labels)
    assert isinstance(first[1], str)
    assert second[1] == {"decision_id": "d"}


def test_the_keepers_jobs_settle_and_convert_around_it(store):
    storing = Storing(store, ())
    assert storing.recover_now().torn == 1
    done = storing.compact_now()
    assert (done.failed, done.rejected) == (0, 2)
