import stat
import threading

import pytest

from review_factory import NOON, pair, sampled, vote, write_texts
from undertow.adapters.reviews.store import StoreReviews
from undertow.adapters.store.row_log import SAMPLED, RowLog
from undertow.records.review import CLAIMS, IMPORTS, SEEDS, Claim, ImportNote, Material, SeededCase

SEED = SeededCase(case_id="seed-1", prompt="?", answer="!", value=0.0)


@pytest.fixture
def store(tmp_path):
    made = StoreReviews(tmp_path, "review")
    yield made
    made.close()


def test_an_empty_folder_holds_nothing(store):
    assert store.material() == Material()
    assert store.claims() == ()


def test_all_that_is_there_is_read(store, tmp_path):
    write_texts(tmp_path, sampled("d"), pairs=(pair("d"),))
    given = vote("d")
    store.add_votes((given,))
    store.add_seeds((SEED,))
    note = ImportNote(at="2026-03-01T12:00:00Z", format="csv", kept=1)
    store.note_import(note)
    found = StoreReviews(tmp_path, "other").material()
    assert found == Material((sampled("d"),), (pair("d"),), (given,), (SEED,), (note,))


def test_texts_that_come_later_are_seen(store, tmp_path):
    log = RowLog(tmp_path, SAMPLED, "w0")
    log.append(sampled("d"))
    assert [row.decision_id for row in store.material().sampled] == ["d"]
    log.append(sampled("e"))
    assert [row.decision_id for row in store.material().sampled] == ["d", "e"]
    log.close()
    assert len(store.material().sampled) == 2


def test_lines_that_are_none_are_counted(store, tmp_path):
    store.add_seeds((SEED,))
    for name in (SEEDS, IMPORTS):
        with (tmp_path / name).open("ab") as file:
            file.write(b"{]\n")
    found = store.material()
    assert (found.seeds, found.broken) == ((SEED,), 2)


def test_claims_that_are_damaged_are_none(store, tmp_path):
    assert store.change_claims(lambda _: ((Claim("d", "ann", NOON),), "said")) == "said"
    assert store.claims() == (Claim("d", "ann", NOON),)
    (tmp_path / CLAIMS).write_bytes(b"{")
    assert store.claims() == ()


def test_claims_change_one_after_the_other(tmp_path):
    def add(number):
        store = StoreReviews(tmp_path, "review")
        for step in range(20):
            store.change_claims(lambda claims: ((*claims, Claim(f"{number}-{step}", "ann", NOON)), None))  # noqa: B023

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(StoreReviews(tmp_path, "review").claims())) == 80


def test_seeded_texts_are_not_for_everybody(store, tmp_path):
    store.add_seeds((SEED,))
    assert stat.S_IMODE((tmp_path / SEEDS).stat().st_mode) & 0o007 == 0


def test_a_failing_change_leaves_the_claims_and_frees_the_lock(store):
    store.change_claims(lambda _: ((Claim("d", "ann", NOON),), None))
    with pytest.raises(ZeroDivisionError):
        store.change_claims(lambda _: 1 / 0)
    assert store.change_claims(lambda claims: (claims, len(claims))) == 1
