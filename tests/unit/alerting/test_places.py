from undertow.alerting.places import A_TOPIC, is_topic, place_of, plain, shown, without_topic
from undertow.records.segment import WHOLE, Segment
from undertow.services.topics import KEY, OTHER_KEY


def test_both_keys_of_topics_are_hidden_and_other_labels_are_not():
    for key in (KEY, OTHER_KEY):
        assert is_topic(f"{key}=my dog, vet")
        assert shown(f"{key}=my dog, vet") == A_TOPIC
    assert shown("topics=dog") == "topics=dog"
    assert (place_of(WHOLE), place_of(Segment("a", "b=c"))) == ("", "a=b=c")


def test_the_name_of_a_topic_is_cut_out_of_sentences():
    said = without_topic("topic=my dog: 10 % of my dog goes", "topic=my dog")
    assert "my dog" not in said
    assert without_topic("my dog", "intent=my dog") == "my dog"


def test_control_characters_direction_marks_and_length_are_kept_out():
    assert plain("a\u202eb\x00c\x1b]0;x\x07\r\nd\ue000") == "abc]0;x d"
    assert len(plain("y" * 1000)) == 120
