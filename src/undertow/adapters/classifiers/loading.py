"""Reads and writes artefacts, and makes classifiers of them."""

from pathlib import Path

from undertow.adapters.classifiers.text import TextClassifier
from undertow.adapters.whole_file import read_whole, write_whole
from undertow.errors import ConfigError
from undertow.policies.artefact import Artefact, decode_artefact, encode_artefact
from undertow.ports.classifier import Classifier

MAX_BYTES = 20_000_000
"""No artefact is larger; what is gets refused before it is read."""


def read_artefact(path: str | Path) -> tuple[Artefact, str]:
    """The artefact in a file, and its hash.

    Raises:
        ConfigError: The file cannot be read or holds no intact artefact of this version.
    """
    document = read_whole(path, MAX_BYTES, "undertow train")
    return decode_artefact(document, str(path))


def write_artefact(artefact: Artefact, path: str | Path) -> None:
    """Write an artefact, as a whole or not at all: a gateway that reloads never sees half of it.

    Raises:
        OSError: It cannot be written.
    """
    write_whole(path, encode_artefact(artefact))


def load_classifier(path: str | Path, *, socket: str | Path | None = None) -> Classifier:
    """The classifier of an artefact.

    Args:
        path: The artefact.
        socket: Method `embedding`: where its sidecar listens (`undertow.adapters.classifiers.sidecar`).

    Raises:
        ConfigError: No intact artefact, or an embedding classifier without a sidecar.
    """
    artefact, version = read_artefact(path)
    if artefact.method == "text":
        return TextClassifier.from_artefact(artefact, version, str(path))
    if socket is None:
        raise ConfigError(
            f"{path}: an embedding classifier answers through a sidecar process, which only `undertow serve` starts"
        )
    from undertow.adapters.classifiers.embedding import EmbeddingClassifier  # noqa: PLC0415 (asyncio, for readers of artefacts)

    return EmbeddingClassifier(str(socket), version)
