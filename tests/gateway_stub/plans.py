"""Serving plans for tests that do not mind what is served."""

from undertow.records.serving import EndpointPlan, LimitsPlan, PolicyPlan, ServingPlan, TierPlan


def plan(version="v1", **limits):
    endpoint = EndpointPlan(base_url="http://127.0.0.1:9/v1")
    tiers = tuple(TierPlan(name=name, model=name, endpoints=(endpoint,)) for name in ("cheap", "capable"))
    policy = PolicyPlan(name="auto", version=version, kind="cascade", tiers=("cheap", "capable"))
    return ServingPlan(tiers=tiers, policies=(policy,), limits=LimitsPlan(**limits))
