"""`[tiers.NAME]`: which models a price class consists of, where they answer and what they cost."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from undertow.config.section import FilePath, Name, Section, Url, VariableName


class PricesPerMtok(Section):
    """Prices in USD per million tokens, for a model that the price list does not know or that you pay otherwise."""

    input_usd_per_mtok: float = Field(ge=0, le=1e6, description="Price of prompt tokens.")
    output_usd_per_mtok: float = Field(ge=0, le=1e6, description="Price of completion tokens.")
    cached_input_usd_per_mtok: float | None = Field(
        default=None,
        ge=0,
        le=1e6,
        description="Price of cached prompt tokens. Unset: as uncached, the dearer assumption.",
    )


Prices = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[PricesPerMtok, Tag("table")],
    Discriminator(lambda value: "auto" if isinstance(value, str) else "table"),
]
"""`"auto"`, or a table of prices."""


class Endpoint(Section):
    """One address at which a tier's model answers."""

    base_url: Url = Field(examples=["http://127.0.0.1:9001/v1"], description="Address up to and including /v1.")
    api_key_env: VariableName | None = Field(
        examples=["CHEAP_API_KEY"],
        default=None,
        description="Environment variable that holds the key. The key itself never stands in this file.",
    )
    kind: Literal["openai", "anthropic"] = Field(
        default="openai", description="Wire format that it speaks; nearly every server speaks OpenAI's."
    )


class TierSettings(Section):
    """A price class. `audit` needs `models` alone, and that only for logs without a tier; `serve` needs model and base_url."""

    models: tuple[str, ...] = Field(
        examples=[["*-mini*"]],
        default=(),
        description='Patterns of model names in a log that belong to this tier, such as ["*-mini*"]. Empty: the log\'s own tier '
        "labels are used, or tiers are inferred from prices, and the report says so.",
    )
    rank: int | None = Field(
        examples=[0],
        default=None,
        ge=0,
        le=1000,
        description="Place in the order of cost, 0 = cheapest; give it to all tiers or to none. Unset: the order of "
        "costs in the log.",
    )
    model: str | None = Field(
        examples=["small"], default=None, min_length=1, description="Model name that the upstream is asked for."
    )
    base_url: Url | None = Field(
        examples=["http://127.0.0.1:9001/v1"],
        default=None,
        description="Address of the upstream, up to and including /v1.",
    )
    api_key_env: VariableName | None = Field(
        examples=["CHEAP_API_KEY"],
        default=None,
        description="Environment variable that holds the upstream's key. Unset: no key is sent.",
    )
    kind: Literal["openai", "anthropic"] = Field(default="openai", description="Wire format of the upstream.")
    endpoints: tuple[Endpoint, ...] = Field(
        default=(), description="Several addresses instead of base_url: tables with base_url, api_key_env, kind."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters sent with each request (temperature, reasoning_effort, ...): they are part of the tier.",
    )
    ca_file: FilePath | None = Field(
        examples=["ca.pem"],
        default=None,
        description="Certificate authorities (PEM) to trust for its upstreams, beside this file or absolute. Unset: the "
        "system's. Checking cannot be turned off.",
    )
    context_tokens: int | None = Field(
        examples=[128000],
        default=None,
        ge=1,
        description="Longest prompt and answer together. Unset: what the price list knows of the model, else no limit.",
    )
    prices: Prices = Field(
        default="auto",
        description='"auto": the dated price list that is installed (genai-prices). Or a table with '
        "input_usd_per_mtok, output_usd_per_mtok and cached_input_usd_per_mtok.",
    )


TierName = Name
