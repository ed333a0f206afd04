"""Plans for tests of the in-process client."""

from undertow.records.serving import EndpointPlan, HoldoutPlan, PolicyPlan, ServingPlan, StorePlan, TierPlan


def plan_for(upstream, store, **changes):
    """Two tiers at one upstream, a cascade over them, nobody held out."""
    endpoints = (EndpointPlan(base_url=upstream.base_url),)
    values = {
        "tiers": (
            TierPlan(name="cheap", model="small", endpoints=endpoints),
            TierPlan(name="capable", model="large", endpoints=endpoints),
        ),
        "policies": (PolicyPlan(name="auto", version="v1", kind="cascade", tiers=("cheap", "capable")),),
        "holdout": HoldoutPlan(share=0.0),
        "store": StorePlan(path=str(store)),
    }
    return ServingPlan(**{**values, **changes})


class Recorder:
    """A sink in memory."""

    def __init__(self):
        self.records, self.intents, self.signals_kept = [], [], []
        self.flushed = self.closed = 0
        self.waiting = self.lost = self.unsettled = 0

    def begin(self, intent):
        self.intents.append(intent)

    def finish(self, record):
        self.records.append(record)

    def add(self, signals):
        self.signals_kept += signals
        return tuple(True for _ in signals)

    def flush(self):
        self.flushed += 1

    def close(self):
        self.closed += 1

    @property
    def sink(self):
        """As clients take it."""
        from undertow.client.sink import Sink

        return Sink(self, self, self.flush, self.close)
