from undertow.judging.outcomes import values_of


def test_a_loss_is_the_reference_minus_the_served_answer_and_a_tie_loses_nothing():
    losses = {name: values_of(name)[1] - values_of(name)[0] for name in ("served", "tie", "reference")}
    assert losses == {"served": -1.0, "tie": 0.0, "reference": 1.0}
    assert values_of("tie") == (1.0, 1.0)
