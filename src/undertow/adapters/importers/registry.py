"""All importers, in the order in which they are asked whether a file is theirs: the specific before the general."""

from undertow.adapters.importers.helicone import HELICONE
from undertow.adapters.importers.importer import Importer
from undertow.adapters.importers.langfuse import LANGFUSE
from undertow.adapters.importers.litellm import LITELLM
from undertow.adapters.importers.openai import OPENAI
from undertow.adapters.importers.openinference import PHOENIX
from undertow.adapters.importers.otel import OPENINFERENCE, OPENROUTER, OTEL
from undertow.adapters.importers.portkey import PORTKEY
from undertow.adapters.importers.tables import TABLE
from undertow.adapters.importers.tensorzero import TENSORZERO
from undertow.adapters.importers.vllm_sr import VLLM_SR

IMPORTERS: tuple[Importer, ...] = (
    LITELLM, OPENROUTER, OPENINFERENCE, PHOENIX, LANGFUSE, HELICONE, PORTKEY, VLLM_SR, TENSORZERO, OPENAI, OTEL, TABLE,
)  # fmt: skip
BY_FORMAT: dict[str, Importer] = {importer.format: importer for importer in IMPORTERS}
