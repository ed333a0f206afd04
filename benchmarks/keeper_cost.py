"""What implicit signals cost the keeper: CPU per turn, from the workers' datagrams to signals in the store.

    python benchmarks/keeper_cost.py [--turns N] [--conversations N] [--words N]

Prints one JSON object, microseconds of processor time (user and system, all threads) per turn: `receiving` (datagrams
to messages), `seeing` (messages to open turns), `settling` (open turns to signals) and `writing` (signals to the store,
ids and sync included). Seeing runs while requests flow, settling and writing two minutes later. Four messages in five
are new ones, one repeats the one before in its conversation.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.behaviour.implicit import LATENESS_S, ImplicitSignals
from undertow.records.serving import ImplicitPlan, StorePlan
from undertow.records.turn import Turn, decode_messages, encode_messages

AT = 1_772_366_400.0
DURATION_S = 12.0
AT_ONCE = 2_000  # signals a write, as in undertow.keeper.conversations
COMMON = "please could you tell me how i can the a my order and it is not to of in on for with when where why what do"
PEOPLE = "agent support someone person service"


def turns(count: int, conversations: int, words: int) -> list[Turn]:
    """Turns of conversations in order of time, with messages of so many words; half of the words are common ones."""
    draw = random.Random(1)
    rare = ["".join(draw.choices("abcdefghijklmnoprstuvwz", k=draw.randint(4, 10))) for _ in range(5_000)]
    common, people = COMMON.split(), PEOPLE.split()
    last: dict[int, str] = {}
    made = []
    for i in range(count):
        conversation = i % conversations
        text = last.get(conversation, "")
        if not text or draw.random() < 0.8:
            picked = [draw.choice(common if draw.random() < 0.5 else rare) for _ in range(words)]
            if draw.random() < 0.1:  # words for people, which need a closer look
                picked[0] = draw.choice(people)
            text = " ".join(picked).capitalize() + "?"
        last[conversation] = text
        made.append(
            Turn(
                decision_id=f"0195f3a8-1111-7000-8000-{i:012d}",
                conversation_id=f"{conversation:032x}",
                event_time=AT + DURATION_S * i / count,
                text=text,
            )
        )
    return made


def measure(count: int, conversations: int, words: int) -> dict[str, float]:
    """Microseconds a turn of each step, and how many signals came of it."""
    given = turns(count, conversations, words)
    datagrams = [datagram for i in range(0, count, 8) for datagram in encode_messages(given[i : i + 8])]
    implicit = ImplicitSignals(ImplicitPlan(), b"key of a benchmark")
    with tempfile.TemporaryDirectory() as folder:
        log = StoreSignalLog(StorePlan(path=folder), "keeper")
        receiving_s, messages = _timed(lambda: [m for datagram in datagrams for m in decode_messages(datagram)[0]])
        seeing_s, _ = _timed(lambda: [implicit.see(message, AT + DURATION_S) for message in messages])
        settling_s, signals = _timed(lambda: implicit.settle(AT + DURATION_S + 2_000.0 + LATENESS_S))
        batches = [signals[i : i + AT_ONCE] for i in range(0, len(signals), AT_ONCE)]
        writing_s, _ = _timed(lambda: [*map(log.add, batches), log.sync()])
        log.close()
    steps = {"receiving": receiving_s, "seeing": seeing_s, "settling": settling_s, "writing": writing_s}
    found = {f"{name}_us": round(spent / count * 1e6, 2) for name, spent in steps.items()}
    repeats = sum(signal.name == "no_repeat" and not signal.value for signal in signals)
    return {
        **found,
        "total_us": round(sum(steps.values()) / count * 1e6, 2),
        "signals": len(signals),
        "repeats": repeats,
    }


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    before = time.process_time()
    found = work()
    return time.process_time() - before, found


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=40_000)
    parser.add_argument("--conversations", type=int, default=1_000)
    parser.add_argument("--words", type=int, default=60)
    given = parser.parse_args()
    print(json.dumps(measure(given.turns, given.conversations, given.words)))


if __name__ == "__main__":
    main()
