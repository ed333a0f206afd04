from review_factory import NOON, cases, pair, sampled
from undertow.records.review import SEED_PREFIX, ReviewRules, SeededCase
from undertow.reviewing.cases import is_served_first, item_of, rank_of, seconds_of, sheet_of, time_text


def test_a_text_and_its_pair_become_one_case():
    found = cases(sampled("d"), sampled("e"), pairs=(pair("d"),))
    assert found.by_id["d"].reference_answer == "other d"
    assert found.by_id["e"].reference_answer is None
    assert found.by_item[item_of("d")] is found.by_id["d"]
    assert found.by_id["d"].labels == ("intent=billing",)
    assert found.by_id["d"].at_s == NOON - 3_600


def test_pairs_are_left_where_answers_are_shown_one_at_a_time():
    rules = ReviewRules(side_by_side=False)
    assert cases(sampled("d"), rules=rules, pairs=(pair("d"),)).by_id["d"].reference_answer is None


def test_an_empty_second_answer_is_none():
    assert cases(sampled("d"), pairs=(pair("d", reference_answer=""),)).by_id["d"].reference_answer is None


def test_rows_that_cannot_be_are_counted_and_left():
    found = cases(
        sampled("a", inclusion_probability=0.0),
        sampled("b", inclusion_probability=1.5),
        sampled("c", inclusion_probability=float("nan")),
        sampled("d", event_time="yesterday"),
        sampled("e"),
        sampled("e", inclusion_probability=0.5),
        sampled("e"),
    )
    assert set(found.by_id) == {"e"}
    assert found.by_id["e"].inclusion_probability == 0.25
    assert found.problems == {"impossible_probability": 3, "unreadable_time": 1, "drawn_twice": 1}


def test_strata_of_steering_are_told_from_others():
    found = cases(
        sampled("a", stratum="tail+intent=fraud"), sampled("b", stratum="common@2"), sampled("c", stratum="tail@2")
    ).by_id
    assert [(found[key].is_extra, found[key].is_tail) for key in "abc"] == [(True, True), (False, False), (False, True)]


def test_a_sheet_tells_nothing_but_the_texts_and_the_rubric():
    found = cases(sampled("secret-id"), pairs=(pair("secret-id"),)).by_id["secret-id"]
    sheet = sheet_of(found, ReviewRules())
    assert "secret-id" not in sheet.item
    assert set(sheet.answers) == {"served secret-id", "other secret-id"}
    assert (sheet.answers[0] == "served secret-id") == is_served_first("secret-id")


def test_seeded_cases_look_like_any_other():
    seed = SeededCase(case_id=f"{SEED_PREFIX}1", prompt="?", answer="!", value=0.0)
    found = cases(seeds=(seed,)).by_id[f"{SEED_PREFIX}1"]
    assert found.is_seeded
    sheet = sheet_of(found, ReviewRules())
    assert "seed" not in sheet.item
    assert len(sheet.item) == len(item_of("d"))


def test_orders_are_drawn_fairly_and_independently_of_each_other():
    names = [f"d{i}" for i in range(4000)]
    first = [is_served_first(name) for name in names]
    assert 1900 < sum(first) < 2100
    half = sorted(names, key=lambda name: rank_of("order", name))[:2000]
    assert 930 < sum(is_served_first(name) for name in half) < 1070


def test_times_come_back():
    assert seconds_of(time_text(NOON + 0.25)) == NOON + 0.25
    assert seconds_of("2026-03-01T13:00:00+01:00") == NOON
    assert seconds_of("2026-03-01T12:00:00") == NOON
    assert seconds_of("") is None
    for beyond in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        assert seconds_of(beyond) is None, "there is no such time in UTC"


def test_a_pair_has_the_probability_of_both_draws():
    """One number decides for review and second answer, so the smaller probability does; a draw after the fact has one of its own."""
    found = cases(
        sampled("few", inclusion_probability=0.8, shadow_probability=0.1),
        sampled("many", inclusion_probability=0.05, shadow_probability=0.1),
        sampled("later", inclusion_probability=0.5),
        sampled("alone", shadow_probability=0.1),
        pairs=(
            pair("few", inclusion_probability=0.1), pair("many", inclusion_probability=0.1),
            pair("later", inclusion_probability=0.1), pair("alone", reference_answer=""),
        ),
    ).by_id  # fmt: skip
    assert [found[key].pair_probability for key in ("few", "many", "later", "alone")] == [0.1, 0.05, 0.05, None]
    assert [key for key, case in found.items() if case.is_pair_missing] == ["alone"]


def test_a_pair_whose_probability_cannot_be_is_not_shown():
    found = cases(sampled("d"), pairs=(pair("d", inclusion_probability=0.0),))
    assert found.by_id["d"].reference_answer is None
    assert found.problems == {"impossible_probability": 1}
