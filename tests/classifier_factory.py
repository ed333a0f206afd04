"""Small artefacts for tests of classifiers, and an encoder without weights."""

import zlib

import numpy as np

from undertow.policies.artefact import Artefact, Auroc, TrainedOn, pack_weights
from undertow.policies.features import BUCKETS, VERSION, text_features

FAKE_ENCODER = "fake encoder 1"
DIMENSIONS = 8


def artefact(method="text", weights=None, intercept=0.0, **changes):
    size = BUCKETS if method == "text" else DIMENSIONS
    return Artefact(
        **{
            "method": method,
            "features": VERSION if method == "text" else FAKE_ENCODER,
            "trained_at": "2026-01-01T00:00:00Z",
            "trained_on": TrainedOn(source="column label", labels=60, easy=30, texts=55, easy_share=0.5),
            "auroc": Auroc(value=0.9, interval=(0.8, 0.95)),
            "size": size,
            "intercept": intercept,
            "weights": pack_weights(weights or [0.0] * size),
        }
        | changes
    )


def text_artefact(easy="where is my parcel", hard="chargeback dispute"):
    weights = [0.0] * BUCKETS
    for text, weight in ((easy, 2.0), (hard, -2.0)):
        for bucket in text_features(text):
            weights[bucket] += weight
    return artefact(weights=weights)


class FakeEncoder:
    """Vectors of length 1 from the letters of a text."""

    name = FAKE_ENCODER

    def encode(self, texts):
        rows = [np.frombuffer(zlib.crc32(text.encode()).to_bytes(4, "big") * 2, np.uint8) for text in texts]
        return np.array([row / np.linalg.norm(row.astype(float) + 1e-9) for row in rows], np.float32)
