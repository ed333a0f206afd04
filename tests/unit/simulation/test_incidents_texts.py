"""Texts of the incidents: every intent has them, every slot is filled, hidden questions differ from normal ones."""

import numpy as np
import pytest

from undertow.simulation.incidents import INCIDENTS
from undertow.simulation.incidents_texts import TEXTS, filled, texts_of


@pytest.mark.parametrize("name", INCIDENTS)
def test_every_intent_of_every_incident_has_texts(name):
    assert set(TEXTS[name]) == {intent.name for intent in INCIDENTS[name].intents}
    for texts in TEXTS[name].values():
        assert texts.normal
        assert texts.hidden
        assert not set(texts.normal) & set(texts.hidden)
        assert len({texts.answer, texts.wrong, texts.hidden_answer, texts.hidden_wrong}) == 4


def test_slots_are_filled_whatever_the_number():
    for incident in TEXTS.values():
        for texts in incident.values():
            for template in (
                *texts.normal,
                *texts.hidden,
                texts.answer,
                texts.wrong,
                texts.hidden_answer,
                texts.hidden_wrong,
            ):
                assert "{" not in filled(template, 10**9, 7, 12345)


def test_the_answer_belongs_to_the_question():
    names = tuple(TEXTS["support"])
    billing = names.index("billing")
    intent = np.full(4, billing)
    hidden, failed = np.array([True, True, False, False]), np.array([True, False, True, False])
    prompts, responses = texts_of("support", names, intent, hidden, failed, np.random.default_rng(1))
    texts = TEXTS["support"]["billing"]
    starts = [texts.hidden_wrong, texts.hidden_answer, texts.wrong, texts.answer]
    for response, template in zip(responses, starts, strict=True):
        assert response.split("{")[0].startswith(template.split("{")[0])
    assert len(prompts) == 4
    amount = [word for word in responses[0].split() if word[0].isdigit()]
    assert not amount or amount[0].rstrip("?.") in prompts[0] or "{amount}" not in prompts[0]


def test_texts_repeat_for_a_seed():
    names = tuple(TEXTS["fintech"])
    given = (names, np.array([0, 1, 3]), np.array([True, False, True]), np.array([True, True, False]))
    assert texts_of("fintech", *given, np.random.default_rng(2)) == texts_of(
        "fintech", *given, np.random.default_rng(2)
    )
