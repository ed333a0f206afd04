"""Shadow requests, plans and fake books for tests of second answers."""

import json

from undertow.ports.watching import Spent
from undertow.records.serving import EndpointPlan, PolicyPlan, ServingPlan, ShadowPlan, StorePlan, TierPlan, TokenPrices
from undertow.records.watched import ShadowRequest

PRICES = TokenPrices(
    input_usd=1e-5, cached_usd=1e-5, cache_write_usd=1e-5, audio_input_usd=1e-5, output_usd=2e-5, audio_output_usd=2e-5
)
ASK = {"model": "auto", "messages": [{"role": "user", "content": "Where is my invoice?"}]}


def shadow_request(number=0, *, body=ASK, endpoint="chat.completions", **changes):
    """A request that the cheap tier has served."""
    given = {
        "decision_id": f"d{number}",
        "event_time": "2026-03-01T12:00:00.000Z",
        "tier": "cheap",
        "model": "small",
        "segment": {"intent": "billing"},
        "inclusion_probability": 0.02,
        "stratum": "common",
        "confidence": 0.9,
        "prompt": "Where is my invoice?",
        "answer": "It was sent on Monday.",
    }
    return ShadowRequest(body=json.dumps(body).encode(), endpoint=endpoint, **{**given, **changes})


def serving_plan(store, base_url, *, kind="openai", prices=(PRICES,), parameters=None, redact=None, **shadow):
    """A plan whose capable tier `large` answers at an address."""
    tiers = (
        TierPlan(name="cheap", model="small", endpoints=(EndpointPlan(base_url=base_url, kind=kind),)),
        TierPlan(
            name="capable",
            model="large",
            endpoints=(EndpointPlan(base_url=base_url, kind=kind),),
            prices=prices,
            parameters=parameters or {},
        ),
    )
    return ServingPlan(
        tiers=tiers,
        policies=(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")),),
        store=StorePlan(path=str(store), redact=redact),
        shadow=ShadowPlan(**{"share": 0.02, **shadow}),
    )


def shout(text):
    """A redaction hook whose work can be seen."""
    return text.upper()


def cut_in_two(text):
    """A redaction hook that leaves half a character at the end."""
    return f"{text}\ud83d"


class BookInMemory:
    """A `SpendBook` of one process; `day` may be set."""

    def __init__(self, day="2026-03-01"):
        self.day = day
        self.sums = {}

    def read(self, purpose):
        return Spent(self.day, *self.sums.get((self.day, purpose), (0.0, 0)))

    def add(self, purpose, usd, *, unpriced=0, day=None):
        if day is None or day == self.day:
            before = self.read(purpose)
            self.sums[self.day, purpose] = (max(0.0, before.usd + usd), before.unpriced + unpriced)
        return self.read(purpose)

    def reserve(self, purpose, usd, limit_usd, *, day, unpriced=0, most_unpriced=0):
        before = self.read(purpose)
        if day != before.day or usd > limit_usd - before.usd or unpriced > max(0, most_unpriced - before.unpriced):
            return False
        self.add(purpose, usd, unpriced=unpriced)
        return True
