import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.gateway.arrival import MAX_LABELS, ArrivalError, read_headers


def test_keys_come_as_bearer_or_as_anthropic_clients_send_them():
    assert read_headers([(b"authorization", b"Bearer  ut_a_b ")]).key == b"ut_a_b"
    assert read_headers([(b"authorization", b"bearer ut_a_b")]).key == b"ut_a_b"
    assert read_headers([(b"x-api-key", b"ut_a_b")]).key == b"ut_a_b"
    assert read_headers([(b"authorization", b"Basic dXNlcg==")]).key is None


def test_labels_and_ids_come_from_headers():
    arrival = read_headers(
        [
            (b"x-undertow-segment-intent", b"billing"),
            (b"x-undertow-segment-country", b"C%C3%B4te"),
            (b"x-session-id", b"s"),
            (b"x-undertow-user-id", b"u"),
        ]
    )
    assert arrival.labels == {"intent": "billing", "country": "Côte"}
    assert (arrival.conversation_id, arrival.user_id) == ("s", "u")


def test_our_own_conversation_header_wins_over_others_whichever_comes_first():
    ours, theirs = (b"x-undertow-conversation-id", b"ours"), (b"x-session-id", b"theirs")
    assert read_headers([ours, theirs]).conversation_id == "ours"
    assert read_headers([theirs, ours]).conversation_id == "ours"


def test_credentials_cookies_and_addresses_never_go_on():
    sent = [
        (b"authorization", b"Bearer k"),
        (b"cookie", b"c"),
        (b"host", b"h"),
        (b"x-forwarded-for", b"1"),
        (b"openai-beta", b"b"),
    ]
    assert read_headers(sent).forwarded == [(b"openai-beta", b"b")]


def test_trace_context_is_taken_only_where_it_is_well_formed():
    good = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    arrival = read_headers([(b"traceparent", good)])
    assert (arrival.trace_id, arrival.parent_span_id, arrival.flags) == ("a" * 32, "b" * 16, "01")
    for bad in (b"", good + b"0", good.upper(), b"ff" + good[2:], b"00-" + b"0" * 32 + b"-" + b"b" * 16 + b"-01"):
        assert read_headers([(b"traceparent", bad)]).trace_id is None


def test_retries_of_the_caller_s_client_are_noted():
    assert read_headers([(b"x-stainless-retry-count", b"2")]).client_retry == 2
    assert read_headers([(b"x-stainless-retry-count", b"-2")]).client_retry is None


@pytest.mark.parametrize(
    "header",
    [
        (b"x-undertow-segment-intent", b"a\x00b"),
        (b"x-undertow-segment-intent", b"a%0d%0ab"),
        (b"x-undertow-segment-intent", b"\xff"),
        (b"x-undertow-segment-intent", b""),
        (b"x-undertow-segment-in tent", b"a"),
        (b"x-undertow-segment-", b"a"),
        (b"x-undertow-conversation-id", b"x" * 513),
        (b"idempotency-key", b"%00"),
    ],
)
def test_headers_that_cannot_be_meant_are_refused_by_name(header):
    with pytest.raises(ArrivalError) as error:
        read_headers([header])
    assert "x" * 100 not in str(error.value)


def test_labels_are_bounded():
    with pytest.raises(ArrivalError, match="more than"):
        read_headers([(b"x-undertow-segment-k%d" % i, b"v") for i in range(MAX_LABELS + 1)])


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40))))
def test_any_headers_are_read_or_refused(headers):
    with contextlib.suppress(ArrivalError):
        read_headers(headers)


def test_an_idempotency_key_is_for_signals_and_does_not_go_on_to_two_tiers():
    arrival = read_headers([(b"idempotency-key", b"k")])
    assert arrival.idempotency_key == "k"
    assert arrival.forwarded == []


def test_a_caller_may_say_that_a_request_is_a_test_case_of_its_own():
    assert read_headers([]).origin == "live"
    assert read_headers([(b"x-undertow-origin", b"suite")]).origin == "suite"
    with pytest.raises(ArrivalError, match="neither live nor suite"):
        read_headers([(b"x-undertow-origin", b"replay")])
