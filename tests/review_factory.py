"""A store with texts drawn for review, written by its own adapters, and votes for tests of reviewing."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.row_log import PAIRS, SAMPLED, VOTES, RowLog
from undertow.records.decision import DecisionRecord
from undertow.records.review import Material, ReviewRules
from undertow.records.sampling import Drawn
from undertow.records.serving import StorePlan
from undertow.records.watched import AnswerPair, SampledText, Vote
from undertow.reviewing.cases import Cases, cases_of

NOON = 1_772_366_400.0
"""2026-03-01T12:00:00Z."""

_ids = count()


def text_of(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sampled(name: str, **values: object) -> SampledText:
    known: dict[str, object] = {
        "decision_id": name,
        "event_time": text_of(NOON - 3_600),
        "tier": "cheap",
        "segment": {"intent": "billing"},
        "inclusion_probability": 0.25,
        "stratum": "tail",
        "prompt": f"question {name}",
        "answer": f"served {name}",
    }
    return SampledText(**(known | values))  # type: ignore[arg-type]


def pair(name: str, **values: object) -> AnswerPair:
    known: dict[str, object] = {
        "decision_id": name,
        "event_time": text_of(NOON - 3_600),
        "answered_at": text_of(NOON - 3_500),
        "tier": "cheap",
        "reference_tier": "capable",
        "inclusion_probability": 0.5,
        "stratum": "tail",
        "prompt": f"question {name}",
        "answer": f"served {name}",
        "reference_answer": f"other {name}",
    }
    return AnswerPair(**(known | values))  # type: ignore[arg-type]


def vote(decision: str, rater: str = "ann", value: float | None = 1.0, **values: object) -> Vote:
    number = next(_ids)
    known: dict[str, object] = {
        "vote_id": f"v{number}",
        "decision_id": decision,
        "at": text_of(NOON + number % 1000),
        "rater": rater,
        "value": value,
    }
    return Vote(**(known | values))  # type: ignore[arg-type]


def cases(*rows: SampledText, rules: ReviewRules | None = None, **more: tuple[object, ...]) -> Cases:
    return cases_of(Material(sampled=rows, **more), rules or ReviewRules())  # type: ignore[arg-type]


def write_texts(store: Path, *rows: SampledText, pairs: tuple[AnswerPair, ...] = ()) -> None:
    for folder, written in ((SAMPLED, rows), (PAIRS, pairs)):
        if written:
            log = RowLog(store, folder, "w0")
            log.append(*written)
            log.close()


def write_votes(store: Path, *votes: Vote) -> None:
    log = RowLog(store, VOTES, "elsewhere")
    log.append(*votes)
    log.close()


def write_drawn_store(store: Path, days: int = 3, per_day: int = 40, now: datetime | None = None) -> list[str]:
    """Decisions of the last days, of which every fourth was drawn for review: half of those in the tail. Ids of the drawn ones."""
    end = now or datetime.now(UTC)
    log = StoreDecisionLog(StorePlan(path=str(store)), "w0")
    texts = RowLog(store, SAMPLED, "w0")
    chosen = []
    for day in range(days):
        for number in range(per_day):
            at = end - timedelta(days=day, minutes=number + 1)
            name = f"{int(at.timestamp() * 1000):012x}{day:04x}{number:016x}"
            stratum, probability = ("tail", 0.5) if number % 2 else ("common", 0.125)
            is_chosen = number % 4 in {0, 1}
            segment = {"intent": "billing" if number % 3 else "fraud"}
            tier = "capable" if number % 5 == 0 else "cheap"
            log.finish(
                DecisionRecord(
                    decision_id=name, event_time=text_of(at.timestamp()), segment=segment, origin="live", policy="auto", tier=tier,
                    first_tier=tier, status="ok", eligible=True, arm="treatment", arm_probability=0.95, confidence=0.9,
                    draws=(Drawn("review", stratum, probability, is_chosen),),
                )
            )  # fmt: skip
            if is_chosen:
                chosen.append(name)
                texts.append(
                    sampled(name, event_time=text_of(at.timestamp()), tier=tier, segment=segment, stratum=stratum, inclusion_probability=probability)
                )  # fmt: skip
    log.close()
    texts.close()
    return chosen
