"""All importers, in the order in which they are asked whether a file is theirs: the specific before the general."""

from undertow.adapters.importers.importer import Importer
from undertow.adapters.importers.litellm import LITELLM
from undertow.adapters.importers.openinference import PHOENIX
from undertow.adapters.importers.otel import OPENINFERENCE, OPENROUTER, OTEL
from undertow.adapters.importers.tables import TABLE

IMPORTERS: tuple[Importer, ...] = (LITELLM, OPENROUTER, OPENINFERENCE, PHOENIX, OTEL, TABLE)
BY_FORMAT: dict[str, Importer] = {importer.format: importer for importer in IMPORTERS}
