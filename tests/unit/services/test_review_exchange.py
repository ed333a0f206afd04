import pytest

from review_factory import NOON, pair, sampled, text_of, vote, write_texts, write_votes
from undertow.adapters.reviews.store import StoreReviews
from undertow.bootstrap.reviewing import open_desk
from undertow.records.review import Label, ReviewRules, SeededCase
from undertow.reviewing.cases import item_of
from undertow.services.review_exchange import export_sheets, take_labels


@pytest.fixture
def opened(tmp_path):
    def open_(rules=None):
        return open_desk(tmp_path, rules or ReviewRules(), clock=lambda: NOON)

    return open_


def export(desk, store, limit=10, hold_s=3600.0, name="x"):
    return export_sheets(store, desk.look, desk.rules, limit=limit, hold_s=hold_s, now_s=NOON, name=name)


def take(desk, store, labels, rater=None):
    return take_labels(labels, store, desk.look, desk.rules, now_s=NOON, format_="jsonl", rater=rater)


def label(row, name="d", verdict="y", rater="ann", **values):
    return Label(row, item_of(name), rater, verdict, **values)


def test_exported_items_are_held_for_all_their_votes_and_other_exports_get_others(tmp_path, opened):
    write_texts(tmp_path, *(sampled(f"d{i}") for i in range(6)))
    with opened(ReviewRules(raters=2)) as (desk, store):
        first, second = export(desk, store, 4), export(desk, store, 4)
        assert (len(first), len(second)) == (4, 2)
        assert not {s.item for s in first} & {s.item for s in second}
        assert desk.next("ann") is None
    with open_desk(tmp_path, ReviewRules(raters=2), clock=lambda: NOON + 3601) as (desk, _):
        assert desk.next("ann") is not None


def test_without_holding_reviewers_here_get_them_too(tmp_path, opened):
    write_texts(tmp_path, sampled("d"))
    with opened() as (desk, store):
        (sheet,) = export(desk, store, hold_s=0.0)
        assert desk.next("ann").item == sheet.item


def test_seeded_cases_are_among_them_once(tmp_path, opened):
    write_texts(tmp_path, *(sampled(f"d{i}") for i in range(60)))
    with opened() as (desk, store):
        desk.add_seeds(
            tuple(SeededCase(case_id=f"seed-{i}", prompt=f"seed {i}", answer="!", value=0.0) for i in range(9))
        )
        sheets = export(desk, store, 60)
        seeded = [sheet for sheet in sheets if sheet.prompt.startswith("seed")]
        assert len(sheets) == 60
        assert 2 <= len(seeded) <= 3
        assert len({sheet.item for sheet in sheets}) == 60


def test_labels_become_votes_and_free_what_was_held(tmp_path, opened):
    write_texts(tmp_path, sampled("d"), sampled("e"), pairs=(pair("e"),))
    with opened() as (desk, store):
        export(desk, store)
        labels = [label(1, at=text_of(NOON - 60), seconds=9.0), Label(2, "e", "bob", 0.25, 0.75), label(3, "d", None)]
        found = take(desk, store, labels)
        assert (found.read, found.kept, found.set_aside) == (2, 2, {})
        assert store.claims() == ()
        one, other = store.material().votes
        assert (one.decision_id, one.value, one.at, one.seconds) == ("d", 1.0, text_of(NOON - 60), 9.0)
        assert (other.decision_id, other.value, other.reference_value, other.at) == ("e", 0.25, 0.75, text_of(NOON))


def test_what_does_not_fit_is_set_aside_with_its_row_and_reason(tmp_path, opened):
    write_texts(tmp_path, *(sampled(name) for name in "defgh"))
    write_votes(tmp_path, vote("h", "ann", 1.0))
    labels = [
        label(1, "d"),
        label(2, "d"),
        label(3, "e"),
        label(4, "e", "n"),
        label(5, "f", "maybe"),
        label(6, "f", 3.0),
        label(7, "nowhere"),
        label(8, "g", rater=None),
        label(9, "g", rater="a\x1bb"),
        label(10, "h"),
        label(11, "h", "n"),
        label(12, "g", None, reason="bad_json"),
        label(13, "h", rater="bob"),
    ]
    with opened() as (desk, store):
        found = take(desk, store, labels)
        assert found.kept == 2
        # Both of the two on `e`; of `h` the one that contradicts what he said here, and with it the other.
        assert found.set_aside == {
            "bad_json": 1, "conflicting": 4, "no_rater": 2, "out_of_range": 2, "repeated": 1, "unknown_item": 1,
        }  # fmt: skip
        assert found.examples[0] == (2, "repeated")
        (note,) = store.material().imports
        assert (note.kept, note.set_aside["conflicting"], note.by_rater) == (2, 4, {"ann": 2})
        assert {(v.decision_id, v.rater, v.value) for v in store.material().votes} == {
            ("d", "ann", 1.0), ("h", "ann", 1.0), ("h", "bob", 1.0),
        }  # fmt: skip


def test_the_same_file_again_changes_nothing(tmp_path, opened):
    write_texts(tmp_path, sampled("d"))
    with opened() as (desk, store):
        assert take(desk, store, [label(1)]).kept == 1
        again = take(desk, store, [label(1)])
        assert (again.kept, again.set_aside) == (0, {"repeated": 1})
        assert len(store.material().votes) == 1


def test_whose_labels_they_are_can_be_said_for_the_file(tmp_path, opened):
    write_texts(tmp_path, sampled("d"))
    with opened() as (desk, store):
        assert take(desk, store, [label(1, rater=None)], rater="team").kept == 1
        assert store.material().votes[0].rater == "team"


def test_a_label_from_a_clock_that_is_wrong_keeps_its_time_and_shows(tmp_path, opened):
    write_texts(tmp_path, sampled("d"))
    with opened() as (desk, store):
        take(desk, store, [label(1, at=text_of(NOON + 9e5))])
        assert desk.status().problems == {"in_the_future": 1}


def test_nothing_to_take_leaves_no_note(tmp_path, opened):
    write_texts(tmp_path, sampled("d"))
    with opened() as (desk, store):
        assert take(desk, store, [label(1, verdict=None)]).read == 0
        assert store.material().imports == ()
    assert StoreReviews(tmp_path, "x").material().votes == ()
