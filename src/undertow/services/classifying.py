"""Asking a policy's classifier about a request, within its deadline."""

import asyncio
import logging

from undertow.policies.base import Classified, ClassifierFailed, Classify
from undertow.ports.classifier import ClassifierError
from undertow.services.routing import Incoming, RouterParts

log = logging.getLogger("undertow.route")


async def classify(parts: RouterParts, incoming: Incoming, command: Classify) -> Classified | ClassifierFailed:
    """What the classifier of the request's policy says, or why it says nothing.

    Args:
        parts: Of the router.
        incoming: The request.
        command: The policy's.
    """
    policy = incoming.placement.policy
    classifier = parts.classifiers.get(policy.name) if policy is not None else None
    if classifier is None:
        return ClassifierFailed("classifier_absent")
    deadline_s = command.deadline_ms / 1000
    began = parts.now()
    try:
        async with asyncio.timeout(deadline_s):
            probability = await classifier.probability(incoming.facts.text)
    except TimeoutError:
        return ClassifierFailed("classifier_late")
    except ClassifierError:
        return ClassifierFailed("classifier_error")
    except Exception:  # somebody else's model: whatever it raises, the capable tier answers
        log.exception("classifier_failed", extra={"decision_id": incoming.decision_id})
        return ClassifierFailed("classifier_error")
    # A classifier that computes without awaiting cannot be interrupted: it is late all the same.
    if parts.now() - began > deadline_s:
        return ClassifierFailed("classifier_late")
    return Classified(probability)
