"""The pages on importing say what the code does."""

import re
import tomllib

import pytest

from undertow.adapters import importers
from undertow.adapters.importers import FORMATS, parse_mapping
from undertow.adapters.importers.mapping import SIGNAL_KEYS

REASON = re.compile(
    r'(?:Rejected|Undecodable|BadTime)\(\s*"([a-z_]+)"|reasons\["([a-z_]+)"\]|return "(score_[a-z_]+)"|issues\[f?"([a-z_]+)'
)


@pytest.fixture
def how_to(project_dir):
    return (project_dir / "docs" / "how-to" / "import-logs.md").read_text()


@pytest.fixture
def reference(project_dir):
    return (project_dir / "docs" / "reference" / "mapping-file.md").read_text()


def test_every_reason_is_documented(project_dir, how_to):
    folder = project_dir / "src" / "undertow" / "adapters" / "importers"
    found = {
        name for path in folder.glob("*.py") for groups in REASON.findall(path.read_text()) for name in groups if name
    }
    assert len(found) > 40
    assert sorted(name for name in found if f"`{name}`" not in how_to) == []


def test_the_example_mapping_file_is_one(reference):
    example = re.search(r"```toml\n(.*?)```", reference, re.DOTALL)
    assert example is not None
    mapping = parse_mapping(tomllib.loads(example[1]))
    assert mapping.signals["csat"].time == "rated_at"


def test_every_key_of_a_signal_is_documented(reference):
    assert [key for key in SIGNAL_KEYS if f"| `{key}` |" not in reference] == []


def test_every_format_has_its_line(how_to):
    shown = {
        "litellm": "LiteLLM",
        "langfuse": "Langfuse",
        "helicone": "Helicone",
        "otel": "OpenTelemetry",
        "openinference": "OpenInference",
        "phoenix": "Phoenix",
        "openrouter": "OpenRouter",
        "portkey": "Portkey",
        "vllm_sr": "semantic router",
        "tensorzero": "TensorZero",
        "openai": "OpenAI",
        "csv": "anything else",
    }
    assert set(shown) == set(FORMATS) - {"undertow"}
    assert [name for name in shown.values() if name not in how_to] == []


def test_the_public_names_are_there():
    assert [name for name in importers.__all__ if not hasattr(importers, name)] == []
