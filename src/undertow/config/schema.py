"""JSON Schema of the settings, for editors. It ships in the package; `scripts/reference.py` writes it anew."""

import json
from importlib import resources
from typing import Any

from undertow.config.settings import Settings

FILE = "undertow.schema.json"


def settings_schema() -> dict[str, Any]:
    """The schema, made from the models."""
    schema = Settings.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "undertow.toml"}


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(settings_schema(), indent=1, ensure_ascii=False) + "\n"


def shipped_schema() -> str:
    """The schema that is installed with the package."""
    return resources.files("undertow.config").joinpath(FILE).read_text(encoding="utf-8")
