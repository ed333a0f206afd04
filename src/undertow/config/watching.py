"""`[shadow]`, `[review]`, `[judge]`, `[implicit]`, `[monitors]` and `[outcomes.NAME]`: how quality is seen and what its loss costs."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from undertow.config.section import Days, FilePath, HookName, Name, Section, SegmentLabel, Share, Url, Usd, VariableName

Phrase = Annotated[str, StringConstraints(pattern=r"^\S([^\x00-\x1f\x7f]*\S)?$", max_length=128)]


class ShadowSettings(Section):
    """The capable tier answers a few of the confident cheap requests too, off the request path. Read by `undertow serve`."""

    share: Share = Field(
        default=0.02, description="Mean share of cheap-served decisions; more where they look unusual. 0: none."
    )
    budget_usd_day: Usd = Field(
        default=4.0, description="Never spend more than this a day; watching must not eat savings."
    )
    never: tuple[SegmentLabel, ...] = Field(
        examples=[["intent=fraud"]],
        default=(),
        description="Labels (key=value) whose requests are never sent a second time.",
    )
    max_waiting: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="Requests that may wait for their second answer; beyond, they are shed.",
    )
    concurrency: int = Field(default=4, ge=1, le=256, description="Second answers that are asked for at a time.")


class ReviewSettings(Section):
    """The queue of decisions for people to judge. Read by `undertow serve` and `undertow review`."""

    per_day: int = Field(default=200, ge=0, le=1_000_000, description="Reviews a day that your people can give.")
    min_per_segment: int = Field(
        default=2,
        ge=0,
        le=10_000,
        description="Reviews a day that each tier and segment gets at least, so that none is blind.",
    )
    cheap_share: Share = Field(
        default=0.7, description="Share of the reviews spent on cheaper tiers' answers: that is where a loss would be."
    )
    tail_share: Share = Field(
        default=0.6,
        description="Share of those spent on the long tail: the fifth of the decisions that is least certain or newest.",
    )
    stakes: dict[SegmentLabel, Annotated[float, Field(gt=0, le=100)]] = Field(
        examples=[{"intent=fraud": 3.0}],
        default_factory=dict,
        description="Labels (key=value) that are drawn so many times more often, since a failure there costs more.",
    )
    name: Name = Field(default="accuracy", description="What is asked of reviewers; the signal is called review.NAME.")
    rubric: str = Field(
        default="Would this answer have solved the user's request, with nothing wrong in it?",
        min_length=1,
        max_length=4000,
        description="The question that reviewers are asked.",
    )
    rubrics: dict[SegmentLabel, Annotated[str, Field(min_length=1, max_length=4000)]] = Field(
        examples=[{"intent=fraud": "Does the answer send the user to the fraud team?"}],
        default_factory=dict,
        description="Other questions for requests with a label (key=value); the first that fits holds.",
    )
    side_by_side: bool = Field(
        default=True,
        description="Show both answers where there is a shadow answer: people then see more of the confident failures.",
    )
    usd_each: Usd = Field(default=0.0, description="Cost of one review, for the ledger. 0: they are paid for already.")
    usd_minute: Usd = Field(
        default=0.0,
        description="Cost of a reviewer's minute, for the ledger: the time that reviews took here is counted. 0: paid for already.",
    )
    raters: int = Field(default=1, ge=1, le=10, description="People who judge the same decision.")
    conflict: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="Votes on one decision further apart than this are a conflict: it is queued again for another rater.",
    )


class JudgeSettings(Section):
    """A model, or a function of yours, that compares or grades answers. Read by `undertow serve` and `undertow judge`."""

    model: str | None = Field(
        examples=["judge"], default=None, min_length=1, description="Model that judges. Unset: no judge."
    )
    base_url: Url | None = Field(
        examples=["http://127.0.0.1:9003/v1"], default=None, description="Its address, up to and including /v1."
    )
    api_key_env: VariableName | None = Field(
        examples=["JUDGE_API_KEY"], default=None, description="Environment variable that holds its key."
    )
    ca_file: FilePath | None = Field(
        examples=["ca.pem"], default=None, description="Certificate authorities (PEM) to trust for it."
    )
    function: HookName | None = Field(
        examples=["my_package.judging:judge"],
        default=None,
        description="Python function (package.module:function) that judges instead of a model, also where one is named.",
    )
    parameters: dict[str, Any] = Field(
        examples=[{"temperature": 0}], default_factory=dict, description="Sent with each request to the judge."
    )
    name: Name = Field(default="quality", description="What it judges; the signal is called judge.NAME.")
    rubric: str = Field(
        default="Which answer solves the user's request better: correct, complete, safe, with nothing made up?",
        min_length=1,
        max_length=4000,
        description="The question that the judge is asked.",
    )
    rubrics: dict[SegmentLabel, Annotated[str, Field(min_length=1, max_length=4000)]] = Field(
        examples=[{"intent=fraud": "Which answer recognises fraud and sends the user to the right team?"}],
        default_factory=dict,
        description="Other questions for requests with a label (key=value); the first that fits holds.",
    )
    both_orders: bool = Field(
        default=False,
        description="Ask in both orders, at twice the price: judges favour a place. Otherwise the order is drawn for each pair.",
    )
    share: Share = Field(default=1.0, description="Share of the shadow pairs that is judged; drawn, and corrected for.")
    budget_usd_day: Usd = Field(default=3.0, description="Never spend more than this a day.")
    timeout_s: float = Field(default=60.0, gt=0, le=600, description="Longest wait for one verdict, in seconds.")
    max_chars: int = Field(
        default=24_000, ge=500, le=1_000_000, description="Longer texts are cut in the middle before they are judged."
    )
    usd_per_call: Usd | None = Field(
        default=None, examples=[0.0], description="Cost of one verdict. Unset: by the price list and the tokens used."
    )
    anchors: FilePath | None = Field(
        examples=["anchors.jsonl"],
        default=None,
        description="File of pairs with people's verdicts, judged again now and then to see whether the judge itself has changed.",
    )
    anchors_per_day: int = Field(default=20, ge=0, le=10_000, description="Anchor pairs judged a day.")


class ImplicitSettings(Section):
    """Signals read off conversations, off the request path: asked again, abandoned, asked for a person. Read by `undertow serve`."""

    enabled: bool = Field(
        default=True, description="Compute them. They need no text on disk, and tell of change where nobody labels."
    )
    window_minutes: float = Field(
        default=30.0,
        gt=0,
        le=1440,
        description="How long after an answer the caller's next message still counts as one of the same conversation.",
    )
    repeat_similarity: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Jaccard similarity from which two messages ask the same thing; .8 lets a word or two differ.",
    )
    human_words: tuple[Phrase, ...] = Field(
        examples=[["ombudsman"]],
        default=(),
        description="Words or phrases, beside the built-in ones, with which your users ask for a person.",
    )
    handover_tools: tuple[Phrase, ...] = Field(
        examples=[["transfer_to_agent"]],
        default=(),
        description="Names of tools whose call hands the conversation to a person.",
    )


class MonitorsSettings(Section):
    """The sequential tests. Read by `undertow audit`, whose options come before these, and by the keeper of `undertow serve`."""

    margin: float | None = Field(
        examples=[0.02],
        default=None,
        gt=0,
        lt=1,
        description="Largest accepted loss per cheap-served decision. Unset: policy.margin divided by the "
        "certified acceptance of the calibration, else 0.02.",
    )
    alpha: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Probability of any false alarm over horizon_days, all tiers, segments and signals together.",
    )
    horizon_days: int = Field(default=180, ge=1, le=3660, description="Days over which alpha is spent: half a year.")
    level: float = Field(
        default=0.95, gt=0.5, lt=1, description="Level of the intervals shown; they hold at every moment at once."
    )
    bucket: Literal["1d", "1h"] = Field(
        default="1d",
        description="Length of a step. 1h sees sharp faults sooner and costs more; labels are daily mostly.",
    )
    every_minutes: float = Field(
        default=30.0,
        ge=0,
        le=10_080,
        description="Minutes between two looks of the gateway's keeper at its own log, which steer what is reviewed. 0: never.",
    )
    segments: tuple[str, ...] | None = Field(
        examples=[["intent"]],
        default=None,
        description="Keys of the segment map to watch. Unset: every key with at most 64 values, of the 100 keys that most decisions bear. Fewer segments, sooner alarms.",
    )
    segment_margin: float = Field(
        default=0.10, gt=0, lt=1, description="healthy needs each large segment shown below this loss."
    )
    min_share: Share = Field(
        default=0.05,
        description="A segment is large from this share of its tier's traffic; smaller ones cannot be shown in time.",
    )


class OutcomeSettings(Section):
    """What one business outcome costs, and how its events are attributed to decisions. Read by `undertow audit`."""

    usd: Usd | None = Field(
        examples=[12.0],
        default=None,
        description="USD per event, or per unit of its value (see unit). Unset: counted, not priced.",
    )
    unit: Literal["event", "value"] = Field(
        default="event", description="event: usd is per event; value: usd is multiplied by the event's value."
    )
    direction: Literal["bad", "good"] = Field(
        default="bad", description="bad: an event costs usd (ticket, churn); good: it earns usd (order, renewal)."
    )
    attribution_days: Annotated[Days, Field(gt=0)] = Field(
        default=14.0,
        description="An event counts for decisions of its user or conversation at most this long before it.",
    )
    maturity_days: Days = Field(
        default=14.0,
        description="A decision counts in a rate only once this long has passed: its outcome may be still to come.",
    )
