"""Properties of reviewing: allocation, draws of a day, counting votes, the queue, spreadsheets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from review_factory import NOON, cases, sampled, text_of
from undertow.adapters.reviews.csv import guarded, unguarded
from undertow.cli.review_screen import harmless
from undertow.records.review import Candidate, ReviewRules
from undertow.records.watched import Vote
from undertow.reviewing.queue import next_item, waiting_items
from undertow.reviewing.resolving import MAX_EXTRA, tally_votes
from undertow.sampling.batch import BatchRules, allocate, draw_batch

BOUNDS = st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 20), st.integers(0, 50)), max_size=12)


@given(BOUNDS, st.integers(0, 500))
def test_allocation_meets_the_total_within_the_bounds(parts, total):
    weight, least = [p[0] for p in parts], [p[1] for p in parts]
    most = [p[1] + p[2] for p in parts]
    found = allocate(weight, total, least, most)
    assert (found >= least).all()
    assert (found <= most).all()
    assert found.sum() == np.clip(total, sum(least), sum(most))


@given(BOUNDS.filter(bool), st.integers(0, 499))
def test_more_to_share_takes_nothing_away_but_by_rounding(parts, total):
    weight, least = [p[0] for p in parts], [p[1] for p in parts]
    most = [p[1] + p[2] for p in parts]
    assert (allocate(weight, total + 1, least, most) >= allocate(weight, total, least, most) - 1).all()


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        decision_id=st.uuids().map(str),
        tier=st.sampled_from(["cheap", "capable", "mid"]),
        segment=st.sampled_from(["", "intent=a", "intent=b"]),
        confidence=st.none() | st.floats(0, 1),
        novelty=st.none() | st.floats(0, 10),
        disagreement=st.none() | st.floats(0, 1),
    ),
    max_size=60,
    unique_by=lambda candidate: candidate.decision_id,
)


@given(CANDIDATES, st.integers(0, 80), st.integers(0, 5))
def test_a_draw_is_exact_in_every_cell(candidates, per_day, least):
    drawn = draw_batch(candidates, BatchRules(per_day=per_day, min_per_segment=least), "s")
    assert sum(cell.drawn for cell in drawn.cells) == drawn.chosen.sum()
    assert abs(drawn.inclusion_probability.sum() - drawn.chosen.sum()) < 1e-9
    assert ((drawn.inclusion_probability > 0) & (drawn.inclusion_probability <= 1)).all()
    places = {}
    for cell in drawn.cells:
        assert 1 <= cell.drawn <= cell.size
        place = places.setdefault((cell.tier, cell.segment), [0, 0])
        place[0] += cell.drawn
        place[1] += cell.size
    assert all(taken >= min(least, size) for taken, size in places.values())


VOTES = st.lists(
    st.builds(
        Vote,
        vote_id=st.uuids().map(str),
        decision_id=st.sampled_from("de"),
        at=st.integers(0, 1000).map(lambda s: text_of(NOON + s)),
        rater=st.sampled_from(["ann", "bob", "cid", "dan", "eve", "fay"]),
        value=st.none() | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 7.0]),
        skipped=st.none() | st.just("no idea"),
    ),
    max_size=30,
    unique_by=lambda vote: vote.vote_id,
)


@given(VOTES, st.integers(1, 3))
def test_nobody_counts_twice_and_labels_lie_among_the_votes(votes, raters):
    for tally in tally_votes(votes, ReviewRules(raters=raters)).by_id.values():
        names = [vote.rater for vote in tally.votes]
        assert len(names) == len(set(names))
        assert not tally.skipped_by & set(names)
        assert (tally.state == "resolved") == (tally.value is not None) == (tally.needed == 0)
        if tally.value is not None:
            values = [vote.value for vote in tally.votes]
            assert min(values) <= tally.value <= max(values)
        if len(tally.votes) >= raters + MAX_EXTRA:
            assert tally.state == "resolved"


@given(VOTES)
def test_the_order_in_which_votes_are_read_changes_no_label(votes):
    # Votes of one rater on one decision at one and the same time have no order but that of the file.
    unique = {(vote.rater, vote.decision_id, vote.at): vote for vote in votes}.values()
    one = tally_votes(list(unique), ReviewRules(raters=2)).by_id
    other = tally_votes(list(unique)[::-1], ReviewRules(raters=2)).by_id
    assert {key: (t.state, t.value) for key, t in one.items()} == {key: (t.state, t.value) for key, t in other.items()}


@given(st.integers(1, 25), st.integers(1, 3), st.data())
def test_the_queue_ends_and_shows_nothing_twice_to_anybody(items, raters, data):
    rules = ReviewRules(raters=raters)
    found = cases(
        *(sampled(f"d{i}", stratum=data.draw(st.sampled_from(["tail", "common", "tail+"]))) for i in range(items))
    )
    votes, seen = [], set()
    for step in range(items * (raters + MAX_EXTRA) * 2):
        rater = "abcdef"[step % 6]
        waiting = waiting_items(found, tally_votes(votes, rules).by_id, rules, NOON)
        case = next_item(waiting, [], rater, step, [], NOON)
        if case is None:
            continue
        assert (rater, case.decision_id) not in seen
        seen.add((rater, case.decision_id))
        value = float(data.draw(st.booleans()))
        votes.append(
            Vote(vote_id=f"v{step}", decision_id=case.decision_id, at=text_of(NOON + step), rater=rater, value=value)
        )
    assert waiting_items(found, tally_votes(votes, rules).by_id, rules, NOON) == ()


@given(st.text())
def test_a_guarded_cell_comes_back_and_is_no_formula(text):
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.text() | st.text(alphabet="\x1b[2J\x07\r\n\u202e\u2066ab\t\x9b"))
def test_no_text_acts_in_a_terminal_or_leaves_its_bar(text):
    shown = harmless(text, 60)
    assert all(line.startswith("|") for line in shown.split("\n"))
    assert not any(ord(character) < 0x20 and character != "\n" for character in shown)
    assert not set(shown) & set("\x7f\x9b\u202e\u202d\u2066\u2067\u2068\u2028")
