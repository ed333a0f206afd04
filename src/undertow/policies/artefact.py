"""The file that a trained classifier lives in: readable JSON with a hash over its content, and no code in it.

    {"schema": "undertow.classifier/1", "method": "text", "features": ..., "trained_at": ..., "trained_on": {...},
     "auroc": {...}, "thresholds": [...], "advised_threshold": ..., "seed": 1, "size": 32768,
     "intercept": -0.4, "weights": "<base64 of little-endian float32>", "sha256": "..."}

The hash is that of `undertow.records.sealed`.
"""

import base64
import binascii
import math
import sys
from array import array
from typing import Literal

import msgspec

from undertow.errors import ConfigError
from undertow.records.sealed import seal, unseal

SCHEMA = "undertow.classifier/1"
MAX_SIZE = 2**20


class TrainedOn(msgspec.Struct, frozen=True, kw_only=True):
    """What a classifier learned from.

    Attributes:
        source: Where its labels came from: `column label`, `review.accuracy`, `review, judge`.
        labels: How many.
        easy: How many of them say that the cheap answer was good.
        texts: How many different texts.
        easy_share: Share of easy requests, each label counted by 1 / inclusion probability, in [0, 1].
    """

    source: str
    labels: int
    easy: int
    texts: int
    easy_share: float


class Auroc(msgspec.Struct, frozen=True, kw_only=True):
    """Probability that an easy request gets a higher number than a hard one, on texts that were not trained on.

    Attributes:
        value: The estimate, in [0, 1].
        interval: Its interval.
        level: Of the interval.
        folds: Of the cross-validation.
    """

    value: float
    interval: tuple[float, float]
    level: float = 0.95
    folds: int = 5


class ThresholdOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold would have done, on texts that were not trained on.

    Attributes:
        threshold: Cheap at or above.
        cheap_share: Share of the requests that it would serve cheaply.
        failure_rate: Share of those whose label says the cheap answer was not good; None where there are none.
    """

    threshold: float
    cheap_share: float
    failure_rate: float | None


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """A trained classifier.

    Attributes:
        schema: Version of the file.
        method: `text` or `embedding`.
        features: What the weights belong to: version of the feature function, or name and version of the encoder.
        trained_at: RFC 3339.
        trained_on: Labels.
        auroc: How well it tells easy from hard.
        thresholds: What thresholds would have done.
        advised_threshold: The lowest with P(cheap and failing) at most the margin; None: none has, or the classifier is not
            shown to do better than chance. Advice, no certificate.
        seed: Of everything random in the training.
        size: Number of weights.
        intercept: Of the logistic function.
        weights: Base64 of little-endian float32.
    """

    schema: str = SCHEMA
    method: Literal["text", "embedding"]
    features: str
    trained_at: str
    trained_on: TrainedOn
    auroc: Auroc
    thresholds: tuple[ThresholdOutcome, ...] = ()
    advised_threshold: float | None = None
    seed: int = 1
    size: int
    intercept: float
    weights: str


def pack_weights(weights: list[float]) -> str:
    """Weights as an artefact holds them, rounded to 32 bits.

    Examples:
        >>> pack_weights([0.5, -2.0])
        'AAAAPwAAAMA='
    """
    packed = array("f", weights)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode("ascii")


def unpack_weights(artefact: Artefact, where: str) -> list[float]:
    """The weights of an artefact.

    Raises:
        ConfigError: They are no `size` finite numbers.
    """
    weights = array("f")
    try:
        weights.frombytes(base64.b64decode(artefact.weights, validate=True))
    except (binascii.Error, ValueError):
        raise ConfigError(f"{where}: the weights are no base64 of 32-bit numbers; train it again") from None
    if sys.byteorder == "big":
        weights.byteswap()
    if len(weights) != artefact.size or not 0 < artefact.size <= MAX_SIZE:
        raise ConfigError(f"{where}: {len(weights)} weights where {artefact.size} were expected; train it again")
    if not (math.isfinite(artefact.intercept) and all(map(math.isfinite, weights))):
        raise ConfigError(f"{where}: a weight is not finite; train it again")
    return weights.tolist()


def encode_artefact(artefact: Artefact) -> bytes:
    """An artefact as the content of its file."""
    return seal(artefact)


def decode_artefact(document: bytes, where: str) -> tuple[Artefact, str]:
    """An artefact from the content of its file, and its hash.

    Raises:
        ConfigError: It is no artefact of this version, or its content is not what its hash says.
    """
    return unseal(document, where, Artefact, schema=SCHEMA, made_by="undertow train")
