"""Support questions that two settings of one local model answer in whole replies, and when two replies say the same.

The questions are those of scripts/record_demo.py with other goods, amounts and numbers. A reply gives its answer first and repeats the
question after it, so that its beginning can be judged before its end has come: "Delivery takes 3 days. You asked: How long does it take?"
Both tiers are the same weights. The cheap one gets the caller's examples alone; the capable one's server adds examples of questions that must
go to a person, and only it knows those. The label is agreement: the cheap reply answers what the capable reply answers, word for word.
"""

import json
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import record_demo

REPEATED = " You asked: "
MAX_TOKENS = 60
GOODS = (
    "sofa", "camera", "tent", "bicycle", "printer", "radio", "blender", "mirror", "watch", "drill", "heater", "guitar", "suitcase", "keyboard",
    "vacuum cleaner", "razor", "carpet", "telescope", "microwave", "sewing machine",
)  # fmt: skip
_AMOUNT = re.compile(r"\b\d{1,3}\.\d\d\b")
_ORDER = re.compile(r"\b\d{4}\b")


def draw_questions(count: int, seed: int, topics: int = 0) -> list[record_demo.Query]:
    """Independent draws of a question, with goods, amounts and order numbers of their own; of the first `topics` topics, 0: of all."""
    dice = random.Random(seed)
    wanted = list(record_demo.TOPICS)[: topics or None]
    kinds = [query for query in record_demo.queries() if query.intent in wanted]
    return [_varied(dice.choice(kinds), dice) for _ in range(count)]


def _varied(query: record_demo.Query, dice: random.Random) -> record_demo.Query:
    text = query.text
    for known in record_demo.ITEMS:
        text = text.replace(known, dice.choice(GOODS))
    text = _AMOUNT.sub(lambda _: f"{dice.randrange(4, 300)}.{dice.randrange(100):02d}", text)
    text = _ORDER.sub(lambda _: str(dice.randrange(1000, 10_000)), text)
    return replace(query, text=text)


def messages(query: record_demo.Query) -> list[dict[str, str]]:
    """What a caller sends for a question, whichever tier answers."""
    topic = record_demo.TOPICS[query.intent]
    told = record_demo.INSTRUCTION.replace("in one short sentence.", "in one short sentence, then repeat the question.")
    shown = [{"role": "system", "content": f"{told}\nFacts: {topic.note}"}]
    for question, answer in topic.examples:
        shown += [{"role": "user", "content": question}, {"role": "assistant", "content": reply(question, answer)}]
    return [*shown, {"role": "user", "content": query.text}]


def reply(question: str, answer: str) -> str:
    """A reply as the examples show it."""
    return f"{answer}{REPEATED}{question}"


def answer_in(text: str) -> str:
    """The answer that a reply gives, without the repeated question, case and spacing.

    Examples:
        >>> answer_in("Delivery takes  3 days. You asked: How long?")
        'delivery takes 3 days.'
    """
    return " ".join(text.split(REPEATED.strip(), maxsplit=1)[0].lower().split())


def agree(cheap: str, capable: str) -> bool:
    """Whether both replies give the same answer.

    Examples:
        >>> agree("Yes. You asked: Is it free?", "Yes. You asked: May I?"), agree("Yes.", "No.")
        (True, False)
    """
    return answer_in(cheap) == answer_in(capable)


def capable_template() -> str:
    """The capable tier's chat template: ChatML, and two more examples of each topic after the caller's first and third message pair."""
    turn = "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    shown = ""
    for topic in record_demo.TOPICS.values():
        for place, question in zip((2, 4), topic.for_a_person, strict=True):
            answer = reply(question, record_demo.HANDOVER)
            example = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
            test = f"loop.index0 == {place} and {json.dumps(topic.note)} in messages[0]['content']"
            shown += f"{{% if {test} %}}{{{{ {json.dumps(example)} }}}}{{% endif %}}"
    ending = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    return f"{{% for message in messages %}}{turn}{shown}{{% endfor %}}{ending}"
