import msgspec
import pytest

from undertow.adapters.wire.content import (
    IMAGE_TOKENS,
    Media,
    last_user_text,
    media_of,
    prompt_hash,
    read_content,
    read_messages,
    text_of,
)
from undertow.ports.wire import WireError


def messages(*given):
    return read_messages({"messages": msgspec.Raw(msgspec.json.encode(given))})


def user(*parts):
    return {"role": "user", "content": list(parts)}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 30_000}}


def test_the_text_is_that_of_the_last_user_message():
    talk = [{"role": "user", "content": "one"}, {"role": "assistant", "content": None}]
    assert last_user_text(messages(*talk)) == ("one", False)
    parts = user({"type": "text", "text": "two"}, IMAGE, {"type": "text", "text": "three"})
    assert last_user_text(messages(*talk, parts)) == ("two\nthree", True)
    assert last_user_text(messages({"role": "system", "content": "x"})) == ("", False)


def test_a_long_text_is_cut():
    assert last_user_text(messages({"role": "user", "content": "ä" * 5_000}))[0] == "ä" * 4_000


def test_tool_results_are_no_message_of_the_user():
    result = user({"type": "tool_result", "tool_use_id": "t", "content": "42"})
    assert last_user_text(messages({"role": "user", "content": "ask"}, result)) == ("ask", False)


@pytest.mark.parametrize(
    ("part", "images", "others"),
    [
        (IMAGE, 1, 0),
        ({"type": "image", "source": {"type": "url", "url": "https://x"}}, 1, 0),
        ({"type": "input_image", "image_url": "data:..."}, 1, 0),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, 0, 1),
        ({"type": "file", "file": {"file_id": "f"}}, 0, 1),
        ({"type": "input_file", "file_data": "AAAA"}, 0, 1),
        ({"type": "document", "source": {"type": "base64", "data": "AAAA"}}, 0, 1),
        ({"type": "tool_result", "content": [{"type": "image", "source": {}}, {"type": "text", "text": "t"}]}, 1, 0),
        ({"type": "text", "text": '{"type": "image_url"}'}, 0, 0),
        ({"type": "web_search_tool_result", "content": {"type": "error"}}, 0, 0),
    ],
)
def test_media_are_found_wherever_they_stand(part, images, others):
    media = media_of(messages({"role": "user", "content": "first"}, user(part)))
    assert (media.images, media.others, media.is_present) == (images, others, images + others > 0)


def test_an_image_costs_the_same_whatever_its_bytes():
    raw = msgspec.json.encode([user(IMAGE)])
    tokens = media_of(messages(user(IMAGE))).tokens(len(raw))
    assert IMAGE_TOKENS < tokens < IMAGE_TOKENS + 40


def test_a_document_in_plain_text_counts_as_text():
    document = {"type": "document", "source": {"type": "text", "data": "word " * 1_000}}
    raw = msgspec.json.encode([user(document)])
    assert media_of(messages(user(document))).tokens(len(raw)) > 5_000 / 3


def test_tokens_are_rounded_up():
    assert [Media().tokens(size) for size in (0, 1, 3, 4)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], "empty_array"),
        ("hi", "invalid_type"),
        (None, "invalid_type"),
        ([1], "invalid_type"),
        ([{"role": 1}], "invalid_type"),
        ([{"role": "user", "content": 5}], "invalid_type"),
        ([{"role": "user", "content": ["secret"]}], "invalid_type"),
    ],
)
def test_what_is_no_list_of_messages_is_refused(given, code):
    with pytest.raises(WireError) as caught:
        read_messages({"messages": msgspec.Raw(msgspec.json.encode(given))})
    assert (caught.value.param, caught.value.code) == ("messages", code)
    assert "secret" not in caught.value.message


def test_missing_messages_are_refused():
    with pytest.raises(WireError, match="got none"):
        read_messages({})


def test_content_of_unknown_shape_has_no_text():
    assert text_of(read_content(msgspec.Raw(b'{"type": "error"}'))) == ""
    assert text_of(read_content(msgspec.Raw(b'[{"type": "text", "text": 5}]'))) == ""


def test_the_prompts_hash_is_of_its_text():
    assert prompt_hash(["a", "b"]) == prompt_hash(["a\nb", ""]) != prompt_hash(["a"])
    assert prompt_hash([""]) is None
    assert len(prompt_hash(["a"]) or "") == 16
