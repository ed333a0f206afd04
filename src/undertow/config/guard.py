"""`[guard]`, `[rollout]`, `[sources.NAME]`: what is done about what was measured, and where outcomes come from."""

import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from undertow.config.section import FilePath, Name, Section, SegmentLabel, VariableName

Mode = Literal["off", "suggest", "automatic"]
SourceColumn = Literal[
    "id",
    "event_time",
    "decision_id",
    "conversation_id",
    "user_id",
    "name",
    "value",
    "currency",
    "deleted",
    "updated_at",
]


class GuardSettings(Section):
    """What is done at an alarm. Read by `undertow serve` and `undertow guard`. An action only ever takes requests off cheaper tiers."""

    route_back: Mode = Field(
        default="suggest",
        description="Send a segment that loses back to the capable tier: off, suggest (a person decides) or automatic.",
    )
    tighten: Mode = Field(
        default="off", description="Raise the confidence that cheap answers need where quality falls."
    )
    roll_back: Mode = Field(
        default="suggest",
        description="Serve by the last version of the policy that was not alarmed about, where a new version is the cause.",
    )
    stop_rollout: Mode = Field(default="automatic", description="Stop a rollout where it stands.")
    segments: dict[SegmentLabel, Mode] = Field(
        default_factory=dict,
        examples=[{"intent=fraud": "automatic"}],
        description="Labels (key=value) for which another mode holds, whatever the action.",
    )
    failure_usd: float | None = Field(
        default=None,
        ge=0,
        examples=[3.0],
        description="What one answer costs on average that people call a failure (tickets, refunds, rework). With it, an alarm routes back the segments that lose more than they save; unset: those that lose more than the margin.",
    )
    tighten_by: float = Field(
        default=0.05, gt=0, le=0.5, description="How much confidence one tightening asks for in addition."
    )
    max_actions_per_day: int = Field(
        default=6, ge=1, le=1000, description="At most so many automatic actions in 24 hours; more become suggestions."
    )
    cooldown_hours: float = Field(
        default=24.0,
        ge=0,
        le=720,
        description="After an action, nothing of the kind is done at the same place for so long.",
    )
    restore_after_days: float | None = Field(
        default=None,
        gt=0,
        le=365,
        examples=[14.0],
        description="Suggest to take a restriction away once the cause is gone for so many days. Unset: people do that.",
    )


class RolloutSettings(Section):
    """How a new policy version is exposed, step by step and by evidence. Read by `undertow serve` and `undertow rollout`."""

    enabled: bool = Field(
        default=False,
        description="Whether each new version of the policy begins at the first stage. Off: it serves all at once.",
    )
    stages: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.05, 0.10, 0.25, 0.50, 1.0),
        description="Shares of users (by a sticky hash) that are exposed, rising; the last is 1.",
    )
    margin: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        examples=[0.02],
        description="Loss below which the tier must be shown to advance. Unset: monitors.margin.",
    )
    risk_budget: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Each segment's upper bound of the loss times its share of the tier's traffic times its next exposure must stay within this.",
    )
    pool_segments: bool = Field(
        default=True,
        description="Let small segments borrow from the whole tier (partial pooling); what was borrowed is shown.",
    )
    automatic: bool = Field(
        default=True, description="Advance and step back without asking. Off: both are suggested to a person."
    )

    @model_validator(mode="after")
    def _stages_rise_to_all(self) -> Self:
        if not self.stages or list(self.stages) != sorted(set(self.stages)) or self.stages[-1] != 1.0:
            raise ValueError("stages must rise and end in 1.0, as [0.05, 0.25, 1.0]")
        return self


class SourceSettings(Section):
    """Where business outcomes come from. Read by `undertow outcomes pull` and by the keeper of `undertow serve`."""

    kind: Literal["files", "zendesk", "intercom", "sql"] = Field(
        default="files",
        description="files: CSV, JSONL or Parquet that are dropped into a folder; zendesk, intercom: exports of tickets.",
    )
    path: FilePath | None = Field(default=None, examples=["drops/*.csv"], description="File, folder or pattern.")
    url_env: VariableName | None = Field(
        default=None, examples=["WAREHOUSE_URL"], description="sql: environment variable with the SQLAlchemy address."
    )
    query: str | None = Field(
        default=None,
        max_length=20_000,
        examples=["SELECT id, at, user_id, 'ticket' AS name FROM tickets WHERE updated_at > :since"],
        description="sql: one SELECT; :since is the time of the last pull.",
    )
    outcome: Name | None = Field(
        default=None, examples=["ticket"], description="Name of the outcome, where the rows do not say."
    )
    currency: str = Field(
        default="USD", pattern=r"^[A-Z]{3}$", description="Currency of amounts; a row in another one is set aside."
    )
    timezone: str | None = Field(
        default=None,
        examples=["Europe/Berlin"],
        description="Zone of times that name none. Unset: such rows are set aside, but for Zendesk and Intercom, which document UTC.",
    )
    columns: dict[SourceColumn, str] = Field(
        default_factory=dict,
        examples=[{"user_id": "customer"}],
        description="Columns that have other names: id, event_time, decision_id, conversation_id, user_id, name, value, currency, deleted, updated_at.",
    )
    every_minutes: float = Field(default=60.0, ge=1, le=10_080, description="Minutes between two pulls of the keeper.")

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.kind == "sql" and (self.url_env is None or self.query is None):
            raise ValueError("a source of kind sql needs url_env and query")
        if self.kind != "sql" and self.path is None:
            raise ValueError(f"a source of kind {self.kind} needs a path")
        return self

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str | None) -> str | None:
        if name is None or re.fullmatch(r"[+-]\d{2}:\d{2}", name):
            return name
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; expected such as Europe/Berlin, UTC or +02:00") from None
        return name
