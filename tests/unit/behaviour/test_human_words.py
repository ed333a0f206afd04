import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.behaviour import human_words
from undertow.behaviour.human_words import HumanWords
from undertow.behaviour.normalising import words

ASKING = [
    "I want to talk to a human",
    "can I speak to a real person?",
    "Please connect me with an agent",
    "transfer me to customer service",
    "put me through to your manager",
    "I need a human",
    "get me a live agent now",
    "is there a real person I can... is there a human",
    "AGENT!!",
    "human please",
    "real person",
    "I don't want to talk to a bot",
    "stop, I am tired of talking to this stupid machine",
    "could I have a representative please",
    "escalate this to a supervisor",
    "Ich möchte mit einem Menschen sprechen",
    "Kann ich bitte mit einem echten Mitarbeiter reden?",
    "Verbinden Sie mich mit einem Mitarbeiter",
    "Ich will einen Menschen!",
    "mitarbeiter bitte",
    "Je veux parler à un humain",
    "Puis-je parler avec un vrai conseiller ?",
    "passez-moi un conseiller s'il vous plaît",
    "j'aimerais parler à quelqu'un",
    "Quiero hablar con una persona",
    "¿Puedo hablar con un agente?",
    "comuníqueme con un supervisor",
    "quiero un humano",
]
NOT_ASKING = [
    "How much water does the human body need?",
    "my travel agent cancelled my booking",
    "Write a user agent string for Firefox",
    "What is an AI agent?",
    "Build me an agent that writes code",
    "I need an agent framework for Python",
    "Where do I find human resources policies?",
    "Is Santa a real person?",
    "How many people live in Lyon?",
    "The operator returned an error, what does + do?",
    "I need a person detection model",
    "translate 'person' into French",
    "Our manager wants the report by Monday",
    "Der Mensch hat 206 Knochen, stimmt das?",
    "Wie viele Mitarbeiter hat die Firma?",
    "Combien de personnes vivent à Paris ?",
    "L'agent immobilier a annulé la visite",
    "¿Cuántas personas viven en Madrid?",
    "El agente de viajes canceló mi reserva",
    "How do I speak with my manager about a raise?",
    "tips to talk to difficult people",
    "Comment parler à mon patron ?",
    "thanks, that helps",
    "",
]


@pytest.mark.parametrize("text", ASKING)
def test_a_request_for_a_person_is_told(text):
    assert HumanWords().asks(text)


@pytest.mark.parametrize("text", NOT_ASKING)
def test_what_only_mentions_people_is_no_request(text):
    assert not HumanWords().asks(text)


def test_own_words_count_in_any_spelling_but_only_whole():
    asks = HumanWords(own=("Rückruf", "call me back", "  ")).asks
    assert asks("bitte um RÜCKRUF.")
    assert asks("Call me back!")
    assert not asks("recall me backwards")
    assert not asks("hello")


def test_a_pathological_message_costs_no_more_than_its_length():
    assert not HumanWords().asks("talk to a " * 2_000)


@pytest.mark.parametrize("pattern", human_words._PATTERNS)
def test_no_pattern_is_passed_over_for_want_of_its_words(pattern):
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.from_regex(pattern.replace(r"\w", "[a-z]")))
    def check(text):
        found = " ".join(words(text))
        assert HumanWords().asks(found) or not re.search(pattern, found)

    check()
