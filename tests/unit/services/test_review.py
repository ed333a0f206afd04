"""The reviewers' desk over a real store, with a clock that is moved."""

import pytest

from review_factory import NOON, pair, sampled, text_of, vote, write_texts, write_votes
from undertow.adapters.reviews.store import StoreReviews
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.errors import DataError, UsageError
from undertow.records.pseudonym import pseudonym
from undertow.records.review import ReviewRules, SeededCase
from undertow.records.serving import StorePlan
from undertow.reviewing.labels import UNDO_S
from undertow.reviewing.queue import CLAIM_S
from undertow.services.review import UNDO_MOST, ReviewDesk
from unit.adapters.store.rows import Clock, rows_of


class Desks:
    """Desks of one store at one clock."""

    def __init__(self, root):
        self.root, self.clock, self.count, self.open = root, Clock(NOON), 0, []

    def __call__(self, rules=None, id_key=None):
        reviews = StoreReviews(self.root, "review", clock=self.clock)
        signals = StoreSignalLog(StorePlan(path=str(self.root)), "review", clock=self.clock)
        self.open += [reviews, signals]
        return ReviewDesk(reviews, signals, rules or ReviewRules(), clock=self.clock, new_id=self.new_id, id_key=id_key)

    def new_id(self):
        self.count += 1
        return f"v{self.count}"


@pytest.fixture
def desks(tmp_path):
    made = Desks(tmp_path)
    yield made
    for each in made.open:
        each.close()


def test_a_verdict_is_on_the_disk_at_once_and_its_signal_when_it_cannot_be_taken_back(desks):
    write_texts(desks.root, sampled("d"))
    desk = desks()
    sheet = desk.next("ann")
    desk.vote("ann", sheet.item, "y", 12.5)
    (kept,) = StoreReviews(desks.root, "other").material().votes
    assert (kept.rater, kept.value, kept.seconds, kept.name) == ("ann", 1.0, 12.5, "accuracy")
    assert desk.publish() == 0
    desks.clock.now += UNDO_S
    assert desk.publish() == 1
    assert desk.publish() == 0
    (signal,) = rows_of(desks.root, "signals")
    assert (signal["decision_id"], signal["event_time"], signal["received_at"]) == (
        "d",
        text_of(NOON),
        text_of(NOON + UNDO_S),
    )


def test_two_desks_write_a_signal_once(desks):
    write_texts(desks.root, sampled("d"))
    one, two = desks(), desks()
    one.vote("ann", one.next("ann").item, "y")
    desks.clock.now += UNDO_S
    assert (two.publish(), one.publish()) == (1, 0)
    assert len(rows_of(desks.root, "signals")) == 1


def test_leaving_writes_his_signals_and_frees_what_he_was_shown(desks):
    write_texts(desks.root, sampled("d"), sampled("e"))
    desk = desks()
    desk.vote("ann", desk.next("ann").item, "n")
    shown = desk.next("ann")
    assert desk.next("bob") is None
    assert desk.leave("ann") == 1
    assert desk.next("bob") == shown
    assert desk.undo("ann") is None


def test_undo_brings_the_item_back_until_its_time_is_over(desks):
    write_texts(desks.root, sampled("d"))
    desk = desks()
    item = desk.next("ann").item
    desk.vote("ann", item, "y")
    assert desk.undoable("bob") is None
    assert desk.undoable("ann").value == 1.0
    assert desk.undo("ann").value == 1.0
    assert desk.undo("ann") is None
    assert desk.next("ann").item == item
    desk.skip("ann", item, "no idea")
    assert desk.next("ann") is None
    assert desk.undo("ann").skipped == "no idea"
    desk.vote("ann", desk.next("ann").item, "n")
    desks.clock.now += UNDO_S
    assert desk.undo("ann") is None


def test_undo_goes_back_one_by_one_and_is_each_reviewers_own(desks):
    write_texts(desks.root, *(sampled(f"d{i}") for i in range(4)))
    desk = desks()
    for rater in ("ann", "bob", "ann"):
        desk.vote(rater, desk.next(rater).item, "y")
    assert [desk.undo("ann") is None for _ in range(3)] == [False, False, True]
    assert desk.undo("bob") is not None
    assert desk.progress().today == 0
    assert UNDO_MOST >= 10


def test_a_claim_lapses(desks):
    write_texts(desks.root, sampled("d"))
    desk = desks()
    desk.next("ann")
    assert desk.next("bob") is None
    desks.clock.now += CLAIM_S
    assert desk.next("bob") is not None


def test_an_item_is_held_while_its_page_is_open_and_lost_to_who_got_it_meanwhile(desks):
    write_texts(desks.root, sampled("d"))
    ann, bob = desks(), desks()
    item = ann.next("ann").item
    for _ in range(3):
        desks.clock.now += CLAIM_S - 1
        assert ann.hold("ann", item)
    assert bob.next("bob") is None
    assert not bob.hold("bob", item)
    desks.clock.now += CLAIM_S
    assert ann.hold("ann", item), "it lapsed, and nobody else wanted it"
    desks.clock.now += CLAIM_S
    assert bob.next("bob").item == item
    assert not ann.hold("ann", item)
    assert bob.hold("bob", item)
    bob.vote("bob", item, "y")
    assert (ann.hold("ann", item), bob.hold("bob", item), ann.hold("ann", "elsewhere")) == (False, False, False)


def test_two_hold_an_item_that_two_are_asked_about(desks):
    write_texts(desks.root, sampled("d"))
    desk = desks(ReviewRules(raters=2))
    item = desk.next("ann").item
    assert desk.next("bob").item == item
    assert (desk.hold("ann", item), desk.hold("bob", item), desk.hold("cid", item)) == (True, True, False)


def test_a_seeded_case_is_held_until_it_is_judged(desks):
    desk = desks()
    desk.add_seeds((SeededCase(case_id="seed-1", prompt="?", answer="!", value=0.0),))
    (item,) = desk.look().cases.by_item
    assert desk.hold("ann", item)
    desk.vote("ann", item, "n")
    assert (desk.hold("ann", item), desk.hold("bob", item)) == (False, True)


def test_a_text_that_is_gone_and_words_that_say_nothing(desks):
    write_texts(desks.root, sampled("d"), sampled("e"), pairs=(pair("e"),))
    desk = desks()
    with pytest.raises(DataError, match="there is no item"):
        desk.vote("ann", "elsewhere", "y")
    items = {sheet.item: sheet for sheet in (desk.next("ann"), desk.next("bob"))}
    one, two = sorted(items.values(), key=lambda sheet: len(sheet.answers))
    with pytest.raises(UsageError, match="expected y, n or 1 to 5"):
        desk.vote("ann", one.item, "b")
    with pytest.raises(UsageError, match="expected a, b, tie or neither"):
        desk.vote("ann", two.item, "?")
    with pytest.raises(UsageError, match="with a reason"):
        desk.skip("ann", one.item, "  ")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "x" * 129])
def test_names_that_are_none(desks, name):
    write_texts(desks.root, sampled("d"))
    with pytest.raises(UsageError, match="no name of a reviewer"):
        desks().next(name)


def test_reviewers_are_pseudonyms_in_the_log(desks):
    write_texts(desks.root, sampled("d"), sampled("e"))
    plain, keyed = desks(), desks(id_key=b"secret")
    for desk in (plain, keyed):
        desk.vote("ann@example.org", desk.next("ann@example.org").item, "y")
        desk.leave("ann@example.org")
    sources = {str(row["source"]) for row in rows_of(desks.root, "signals")}
    assert f"reviewer:{pseudonym('ann@example.org', b'secret')[:12]}" in sources
    assert len(sources) == 2
    assert all(source.startswith("reviewer:") and "ann" not in source for source in sources)


def test_a_side_by_side_verdict_is_of_both(desks):
    write_texts(desks.root, sampled("d"), pairs=(pair("d"),))
    desk = desks()
    sheet = desk.next("ann")
    kept = desk.vote("ann", sheet.item, "ab"[sheet.answers.index("other d")])
    assert (kept.value, kept.reference_value, kept.is_side_by_side) == (0.0, 1.0, True)
    desk.leave("ann")
    (signal,) = rows_of(desks.root, "signals")
    assert (signal["value"], signal["reference_value"]) == (0.0, 1.0)


def test_progress_and_status_count_the_same_day(desks):
    write_texts(desks.root, *(sampled(f"d{i}") for i in range(3)))
    desk = desks()
    desk.vote("ann", desk.next("ann").item, "y")
    progress, status = desk.progress(), desk.status()
    assert (progress.today, progress.waiting, progress.per_day) == (1, 2, 200)
    assert (status.today, status.queue.items, status.per_day, status.unwritten) == (1, 2, 200, 1)
    desks.clock.now += 86_400
    assert desk.progress().today == 0


def test_what_reviewers_did_long_ago_is_left_out_of_the_status(desks):
    write_votes(
        desks.root, vote("d", "old", at=text_of(NOON - 91 * 86_400)), vote("e", "new", at=text_of(NOON - 89 * 86_400))
    )
    assert [report.rater for report in desks().status().raters] == ["new"]


def test_a_seeded_case_is_kept_once_and_gives_no_signal(desks):
    write_texts(desks.root, *(sampled(f"d{i}") for i in range(40)))
    desk = desks()
    seed = SeededCase(case_id="seed-1", prompt="?", answer="!", value=0.0)
    assert (desk.add_seeds((seed, seed)), desk.add_seeds((seed,))) == (1, 0)
    seen = []
    while (sheet := desk.next("ann")) is not None:
        seen.append(desk.vote("ann", sheet.item, "n").is_seeded)
    assert (sum(seen), len(seen)) == (1, 41)
    assert desk.leave("ann") == 40
    assert desk.status().seen.count == 1
