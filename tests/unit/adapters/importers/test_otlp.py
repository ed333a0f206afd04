from undertow.adapters.importers.otlp import attributes, is_otlp, log_records, spans


def test_typed_values():
    listed = [
        {"key": "i", "value": {"intValue": "97"}}, {"key": "d", "value": {"doubleValue": 0.5}}, {"key": "b", "value": {"boolValue": False}}, {"key": "n", "value": {}},
        {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "2"}]}}}, {"key": "m", "value": {"kvlistValue": {"values": [{"key": "x", "value": {"stringValue": "y"}}]}}},
        {"key": "empty", "value": {"arrayValue": {}}}, "nonsense", {"key": 5},
    ]  # fmt: skip
    assert attributes(listed) == {"i": 97, "d": 0.5, "b": False, "n": None, "l": ["a", 2], "m": {"x": "y"}, "empty": []}


def test_nested_objects_are_flattened():
    assert attributes({"llm": {"model_name": "m", "n": {"k": 1}}, "x": {}}) == {
        "llm.model_name": "m",
        "llm.n.k": 1,
        "x": {},
    }


def test_snake_case_and_camel_case():
    span = {
        "trace_id": "t",
        "span_id": "s",
        "name": "chat",
        "start_time_unix_nano": 1,
        "status": {"code": "STATUS_CODE_ERROR"},
    }
    (found,) = spans({"resource_spans": [{"scope_spans": [{"spans": [span]}]}]})
    assert (found.trace_id, found.span_id, found.start, found.failed) == ("t", "s", 1, True)


def test_events_named_in_an_attribute_and_bodies_that_are_maps():
    entry = {
        "traceId": "t",
        "timeUnixNano": "0",
        "observedTimeUnixNano": "5",
        "attributes": [{"key": "event.name", "value": {"stringValue": "e"}}],
        "body": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "1"}}]}},
    }
    (found,) = log_records({"resourceLogs": [{"scopeLogs": [{"logRecords": [entry]}]}]})
    assert (found.event, found.time, found.attributes["k"]) == ("e", "5", 1)


def test_shapes_that_are_not_otlp():
    assert not is_otlp({"resourceSpans": "x"})
    assert list(spans({"resourceSpans": [None, {"scopeSpans": [{"spans": [None, 3]}]}, {"resource": 5}]})) == []
