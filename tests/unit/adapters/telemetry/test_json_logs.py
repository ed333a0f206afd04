import io
import json
import logging

import pytest

from undertow.adapters.telemetry.json_logs import MAX_CHARS, configure_logging, fields
from undertow.errors import LogError

FORGED = 'ok\r\n{"level":"error","event":"forged"}\u2028\x1b[31m\x85'


def fail(error):
    raise error


@pytest.fixture
def log():
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions

    def start(log_format="json", level="info"):
        stream = io.StringIO()
        configure_logging(level, log_format, stream)
        return logging.getLogger("undertow.test"), stream

    yield start
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])


def test_an_event_is_one_json_object(log):
    logger, stream = log()
    logger.info("segment_converted", extra=fields(rows=3, path="a/b", ratio=0.5, nothing=None))
    line = json.loads(stream.getvalue())
    assert line["ts"].endswith("Z")
    del line["ts"]
    assert line == {
        "level": "info",
        "event": "segment_converted",
        "logger": "undertow.test",
        "rows": 3,
        "path": "a/b",
        "ratio": 0.5,
        "nothing": None,
    }


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_text_from_outside_can_forge_a_line(log, log_format):
    logger, stream = log(log_format)
    logger.warning(FORGED, extra=fields(user=FORGED, **{f"key{FORGED}": 1}))
    logger.warning("argument %s", FORGED)
    text = stream.getvalue()
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
    assert "\\u001b" not in text


def test_a_field_cannot_take_the_place_of_level_or_time(log):
    logger, stream = log()
    logger.info("real", extra=fields(level="error", ts="never", event="forged"))
    line = json.loads(stream.getvalue())
    assert (line["level"], line["event"], line["level_"]) == ("info", "real", "error")


def test_long_text_and_odd_values_are_cut_down(log):
    logger, stream = log()
    logger.info("x" * 9_999, extra=fields(bad=float("nan"), prompt={"messages": "secret prompt"}, lone="\ud800"))
    line = json.loads(stream.getvalue())
    assert len(line["event"]) == MAX_CHARS
    assert (line["bad"], line["prompt"]) == (None, "dict")


def test_what_a_foreign_exception_quotes_is_not_logged(log):
    logger, stream = log()
    for error in (ValueError("secret prompt"), LogError("nothing to read here")):
        try:
            fail(error)
        except (ValueError, LogError):
            logger.exception("job_failed", extra=fields(job="traces"))
    assert "secret" not in stream.getvalue()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["error"] == "ValueError"
    assert first["error_at"].startswith("test_json_logs.py:")
    assert second["error_message"] == "nothing to read here"


def test_the_level_holds_and_a_second_call_does_not_double_lines(log):
    log()
    logger, stream = log(level="warning")
    logger.info("quiet")
    logger.error("loud")
    logging.getLogger("urllib3").debug("body of a request")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_a_call_with_wrong_arguments_is_still_an_event(log):
    logger, stream = log("text")
    logger.warning("%d of %d", *["a"])
    assert "%d of %d" in stream.getvalue()


def test_plain_lines_quote_what_has_blanks(log):
    logger, stream = log("text")
    logger.info("started", extra=fields(path="a b", workers=2))
    assert stream.getvalue().rstrip().endswith('info    started path="a b" workers=2')


def test_fields_may_be_given_directly(log):
    logger, stream = log()
    logger.info("read", extra={"path": "a", "level": "forged"})
    line = json.loads(stream.getvalue())
    assert (line["path"], line["level"], line["level_"]) == ("a", "info", "forged")
    assert set(line) == {"ts", "level", "event", "logger", "path", "level_"}
