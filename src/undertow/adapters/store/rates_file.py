"""The store's sampling rates, as its keeper reads and writes them."""

from pathlib import Path

import msgspec

from undertow.adapters.whole_file import write_whole
from undertow.records.runtime_files import SAMPLING
from undertow.records.sampling import SAMPLING_SCHEMA, SamplingRates
from undertow.records.unreadable import UNREADABLE


def read_rates(store: Path) -> SamplingRates | None:
    """The rates that were written last, or None: none were, or the file is none of this version, and is planned anew.

    Examples:
        >>> read_rates(Path("nowhere")) is None
        True
    """
    try:
        rates = msgspec.json.decode((store / SAMPLING).read_bytes(), type=SamplingRates)
    except (OSError, *UNREADABLE):
        return None
    return rates if rates.schema == SAMPLING_SCHEMA else None


def write_rates(store: Path, rates: SamplingRates) -> None:
    """Put rates in force: workers read them within seconds.

    Raises:
        OSError: They cannot be written; those before them stay in force.
    """
    (store / SAMPLING).parent.mkdir(parents=True, exist_ok=True)
    write_whole(store / SAMPLING, msgspec.json.encode(rates) + b"\n")
