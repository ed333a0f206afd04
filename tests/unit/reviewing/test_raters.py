import numpy as np

from review_factory import cases, sampled, vote
from undertow.records.review import SEED_PREFIX, ReviewRules, SeededCase
from undertow.reviewing.raters import rater_reports
from undertow.reviewing.resolving import tally_votes

RULES = ReviewRules(raters=3)


def reports(votes, found=None):
    return {report.rater: report for report in rater_reports(tally_votes(votes, RULES), found or cases())}


def by_flag(votes, found=None):
    return {name: set(report.flags) for name, report in reports(votes, found).items()}


def ordinary(rater, count, rng, failing=0.1, first=0):
    return [vote(f"d{first + i}", rater, float(rng.random() > failing), seconds=30.0) for i in range(count)]


def test_ordinary_reviewers_bear_no_flag():
    rng = np.random.default_rng(1)
    found = cases(*(sampled(f"d{i}") for i in range(300)))
    for _ in range(20):
        votes = [v for rater in ("ann", "bob", "cid") for v in ordinary(rater, 100, rng)]
        assert by_flag(votes, found) == {"ann": set(), "bob": set(), "cid": set()}


def test_one_who_clicks_one_always_is_seen_after_twenty():
    rng = np.random.default_rng(2)
    votes = ordinary("ann", 100, rng) + [vote(f"d{i}", "one", 0.0) for i in range(20)]
    assert "one_value" in by_flag(votes)["one"]
    assert by_flag([vote(f"d{i}", "one", 0.0) for i in range(20)])["one"] == {"one_value"}


def test_one_who_finds_all_good_is_seen_once_chance_is_no_reason_any_more():
    assert by_flag([vote(f"d{i}", "sun", 1.0) for i in range(100)])["sun"] == set()
    assert by_flag([vote(f"d{i}", "sun", 1.0) for i in range(200)])["sun"] == {"one_value"}


def test_one_who_cannot_have_read_it_is_seen():
    found = cases(*(sampled(f"d{i}", prompt="x" * 1_000) for i in range(40)))
    values = [float(i % 5 > 0) for i in range(40)]
    quick = [vote(f"d{i}", "quick", values[i], seconds=3.0) for i in range(40)]
    slow = [vote(f"d{i}", "slow", values[i], seconds=25.0) for i in range(40)]
    found_flags = by_flag(quick + slow, found)
    assert found_flags == {"quick": {"hasty"}, "slow": set()}
    assert reports(quick, found)["quick"].median_s == 3.0


def test_contradictions_are_counted():
    votes = [v for i in range(3) for v in (vote(f"d{i}", "ann", 1.0), vote(f"d{i}", "ann", 0.0))]
    votes += [vote("d9", "ann", 1.0), vote("d9", "ann", 1.0)]
    ann = reports(votes)["ann"]
    assert (ann.repeats, ann.contradictions, ann.flags) == (4, 3, ("contradicts_himself",))


def test_strictness_is_told_on_the_same_decisions_with_its_interval():
    rng = np.random.default_rng(3)
    kind = [vote(f"d{i}", "kind", float(rng.random() > 0.1)) for i in range(200)]
    harsh = [vote(f"d{i}", "harsh", float(rng.random() > 0.5)) for i in range(200)]
    found = reports(kind + harsh)
    harsh_report = found["harsh"].strictness
    assert harsh_report.matched == "decision"
    assert harsh_report.low < 0.4 < harsh_report.high
    assert "strict" in found["harsh"].flags
    assert "lenient" in found["kind"].flags


def test_strictness_is_told_in_the_same_strata_where_nobody_shares_a_decision():
    rng = np.random.default_rng(4)
    rows = [sampled(f"d{i}", stratum="tail" if i % 2 else "common") for i in range(800)]
    # Four in ten fail in the tail, one in twenty elsewhere; both find what is there, but one has many more of the tail.
    votes = []
    for number, row in enumerate(rows):
        rater = "tail" if rng.random() < (0.9 if row.stratum == "tail" else 0.1) else "rest"
        votes.append(vote(row.decision_id, rater, float(rng.random() > (0.4 if number % 2 else 0.05))))
    found = reports(votes, cases(*rows))
    assert found["tail"].mean < found["rest"].mean - 0.15
    assert found["tail"].strictness.matched == "stratum"
    assert found["tail"].strictness.low < 0.0 < found["tail"].strictness.high


def test_too_little_to_compare_is_said_as_none():
    assert reports([vote("d", "ann"), vote("d", "bob")])["ann"].strictness is None


def test_what_was_seen_of_known_failures():
    seeds = tuple(
        SeededCase(case_id=f"{SEED_PREFIX}{i}", prompt="?", answer="!", value=float(i >= 40)) for i in range(60)
    )
    found = cases(seeds=seeds)
    votes = [vote(f"{SEED_PREFIX}{i}", "ann", float(i >= 30), is_seeded=True) for i in range(60)]
    votes += [vote(f"{SEED_PREFIX}{i}", "bob", float(i >= 5), is_seeded=True) for i in range(60)]
    ann, bob = reports(votes, found)["ann"], reports(votes, found)["bob"]
    assert (ann.votes, ann.mean, ann.seen.count, ann.seen.of) == (0, None, 30, 40)
    assert ann.seen.low < 0.75 < ann.seen.high
    assert (ann.false_flags.count, ann.false_flags.of) == (0, 20)
    assert ann.flags == ()
    assert bob.flags == ("misses_failures",)


def test_seeded_votes_do_not_count_even_when_their_case_is_gone():
    assert reports([vote(f"{SEED_PREFIX}1", "ann", 0.0, is_seeded=True)]) == {}
