"""`[policy]`, `[policies.NAME]`, `[constraints]` and `[holdout]`: who gets which tier. Read by `undertow serve`.

A policy is one of four kinds, told apart by `kind`; a setting of another kind is refused, with the kind that has it.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from undertow.config.section import FilePath, Name, Section, SegmentLabel, Share


class PolicyBase(Section):
    """Settings of every kind of policy."""

    mode: Literal["route", "observe"] = Field(
        default="route",
        description="route: serve what was decided; observe: log it and serve what the caller asked for.",
    )
    margin: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Largest accepted P(cheap served and failing where capable would not), per eligible "
        "request. .02 is what a weekly average does not show.",
    )
    delta: float = Field(
        default=0.1, gt=0, lt=1, description="Probability with which a calibrated threshold may miss its margin."
    )
    tiers: tuple[Name, ...] = Field(default=(), description="Tiers it may use, cheapest first. Empty: all of them.")


FilePaths = Annotated[
    Annotated[FilePath, Tag("one")] | Annotated[tuple[FilePath, ...], Tag("several")],
    Discriminator(lambda value: "several" if isinstance(value, list | tuple) else "one"),
]
"""A file, or a list of files."""


class CascadePolicy(PolicyBase):
    """Answer with the cheap tier; escalate where its confidence is too low. The default, and the safest to start with."""

    kind: Literal["cascade"] = Field(
        default="cascade", description="Which kind of policy this is; it decides what else can be set."
    )
    threshold: Share = Field(
        default=0.7, description="Escalate below this confidence. Holds for tiers without a calibration."
    )
    calibration: FilePaths | None = Field(
        examples=["calibration.json"],
        default=None,
        description="Calibration artefact that `undertow calibrate` wrote, or a list of them, one for each tier but the last; beside this "
        "file or absolute. Unset: confidence is uncalibrated, and threshold decides.",
    )
    strict: bool = Field(
        default=False,
        description="Serve nothing cheaply in a segment whose certificate is void (after an alarm) or that was never certified.",
    )
    streaming: Literal["hold", "commit", "race"] = Field(
        default="hold",
        description="hold: release the cheap answer once it is judged as a whole; commit: after a judged prefix; race: "
        "start the capable tier early where the prefix is poor. hold needs no calibrated prefix, so it is the default.",
    )
    race_below: Share | None = Field(
        examples=[0.4],
        default=None,
        description="Streaming race: confidence of the prefix below which the capable tier is started. Unset: half the threshold.",
    )
    self_check: bool = Field(
        default=False,
        description="Ask the cheap tier whether its own answer is right, where that can still matter: one more cheap call of one token.",
    )
    samples: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Further answers of the cheap tier to compare its answer with, where that can still matter; each costs one more "
        "cheap answer.",
    )
    predictive: FilePath | None = Field(
        examples=["classifier.json"],
        default=None,
        description="Text classifier that `undertow train` wrote, asked before any tier: hopeless requests go straight to the capable tier.",
    )
    skip_below: Share = Field(
        default=0.1,
        description="Predictive: a request less probably easy than this is hopeless; low, since the cheap answer is judged anyway.",
    )
    hysteresis: Share = Field(
        default=0.02,
        description="Added to the threshold where another tier answered the conversation's last turn, so that it does not flap.",
    )
    stay_turns: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="Turns for which a conversation stays with the capable tier after it came to it.",
    )
    evidence: Literal["sum", "tokens", "alternatives"] = Field(
        default="sum",
        description="What is measured of cheap answers at least, for a calibration to come: the mean log-probability; token by token; or "
        "with alternatives of each token too, which some upstreams refuse. A calibration's own needs come on top.",
    )
    prefix_tokens: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Measure the first so many tokens of cheap answers too, so that `undertow calibrate` can fit a prefix for streaming. "
        "0: not.",
    )


class ClassifierPolicy(PolicyBase):
    """Decide before any model runs."""

    kind: Literal["classifier"] = Field(description="Which kind of policy this is; it decides what else can be set.")
    method: Literal["text", "embedding", "rules"] = Field(
        default="text", description="Trained text classifier, similarity to examples, or rules on segments."
    )
    artefact: str | None = Field(
        examples=["classifier.json"],
        default=None,
        description="File that `undertow train` wrote, beside this file or absolute; needed by text and embedding.",
    )
    threshold: Share = Field(default=0.7, description="Serve cheaply at or above this probability of being easy.")
    cheap_segments: tuple[SegmentLabel, ...] = Field(
        examples=[["intent=faq"]],
        default=(),
        description="Method rules: labels (key=value) that go to the cheap tier; all others do not.",
    )
    deadline_ms: float = Field(
        default=30.0, gt=0, le=10_000, description="A classifier that is later than this is ignored: capable answers."
    )


class FixedPolicy(PolicyBase):
    """One tier for everything."""

    kind: Literal["fixed"] = Field(description="Which kind of policy this is; it decides what else can be set.")
    tier: Name = Field(default="capable", description="The tier that answers everything.")


class SplitPolicy(PolicyBase):
    """Tiers drawn at random, by user: the plainest experiment."""

    kind: Literal["split"] = Field(description="Which kind of policy this is; it decides what else can be set.")
    shares: dict[Name, Share] = Field(
        examples=[{"cheap": 0.5, "capable": 0.5}], description="Share of each tier; they add up to 1."
    )


POLICY_KINDS: dict[str, type[PolicyBase]] = {
    "cascade": CascadePolicy,
    "classifier": ClassifierPolicy,
    "fixed": FixedPolicy,
    "split": SplitPolicy,
}


def policy_kind(value: Any) -> Any:
    """The kind of a policy, as a table of the file or as a model; a table without one is a cascade."""
    return value.get("kind", "cascade") if isinstance(value, dict) else getattr(value, "kind", None)


Policy = Annotated[
    Annotated[CascadePolicy, Tag("cascade")]
    | Annotated[ClassifierPolicy, Tag("classifier")]
    | Annotated[FixedPolicy, Tag("fixed")]
    | Annotated[SplitPolicy, Tag("split")],
    Discriminator(policy_kind),
]


class ConstraintsSettings(Section):
    """What is settled before any score is looked at; no score overrides it."""

    never_cheap: tuple[SegmentLabel, ...] = Field(
        examples=[["intent=fraud"]],
        default=(),
        description="Labels (key=value) that always go to the capable tier, such as intent=fraud.",
    )
    cheap_max_input_tokens: int | None = Field(
        examples=[8000],
        default=None,
        ge=1,
        description="Longer prompts go to the capable tier. Unset: the model's own context length.",
    )
    cheap_tools: bool = Field(default=True, description="Whether requests that offer tools may be served cheaply.")
    cheap_images: bool = Field(
        default=False, description="Whether requests with images or audio may be served cheaply."
    )


class HoldoutSettings(Section):
    """Randomised traffic that stays on the capable tier: it is what makes every later comparison causal."""

    share: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.05,
        description="Share of units held out. 5 % costs 5 % of the savings and is enough to see a loss of a few points; "
        "0 leaves only comparisons over time.",
    )
    unit: Literal["user", "conversation", "decision"] = Field(
        default="user", description="What is assigned as a whole; where it is absent, the next smaller one."
    )
    salt: str = Field(
        default="undertow",
        min_length=1,
        description="Changes who is held out. Keep it: a new salt mixes the arms of users.",
    )
