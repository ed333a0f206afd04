"""All settings: the model of one `undertow.toml`.

Read with `undertow.config.load_settings`, which knows lines and origins; this module knows neither files nor environment.
"""

from pydantic import Field

from undertow.config.gateway import GatewaySettings, TelemetrySettings, UpstreamSettings
from undertow.config.guard import GuardSettings, RolloutSettings, SourceSettings
from undertow.config.keeping import AlertsSettings, PassthroughSettings, RetentionSettings, StoreSettings
from undertow.config.keys import KeySettings
from undertow.config.routing import CascadePolicy, ConstraintsSettings, HoldoutSettings, Policy
from undertow.config.section import Name, Section
from undertow.config.tiers import TierSettings
from undertow.config.tuning import TuningSettings
from undertow.config.ui import UiSettings
from undertow.config.watching import (
    ImplicitSettings,
    JudgeSettings,
    MonitorsSettings,
    OutcomeSettings,
    ReviewSettings,
    ShadowSettings,
)

DEFAULT_MONITORS_MARGIN = 0.02
"""`monitors.margin` where neither the settings nor a calibration artefact says otherwise (DESIGN: section 3)."""


class Settings(Section):
    """Everything that can be set, what `audit` reads first. Each section may be left out."""

    tiers: dict[Name, TierSettings] = Field(
        default_factory=dict,
        description="Price classes by name. Two by custom: cheap and capable; more are allowed.",
    )
    monitors: MonitorsSettings = Field(default_factory=MonitorsSettings, description="The sequential tests.")
    outcomes: dict[Name, OutcomeSettings] = Field(
        default_factory=dict, description="Business outcomes by name (the signal's name: ticket, churn, csat, ...)."
    )
    store: StoreSettings = Field(default_factory=StoreSettings, description="Where decisions and signals are kept.")
    policy: Policy = Field(default_factory=CascadePolicy, description="What the model name `auto` means.")
    policies: dict[Name, Policy] = Field(default_factory=dict, description="More policies, asked for by their names.")
    constraints: ConstraintsSettings = Field(
        default_factory=ConstraintsSettings, description="What is settled before any score is looked at."
    )
    holdout: HoldoutSettings = Field(
        default_factory=HoldoutSettings, description="Randomised traffic that stays on the capable tier."
    )
    shadow: ShadowSettings = Field(
        default_factory=ShadowSettings, description="Second answers of the capable tier, for comparison."
    )
    review: ReviewSettings = Field(default_factory=ReviewSettings, description="The queue for people.")
    judge: JudgeSettings = Field(default_factory=JudgeSettings, description="A model that compares or grades answers.")
    implicit: ImplicitSettings = Field(default_factory=ImplicitSettings, description="Signals read off conversations.")
    tuning: TuningSettings = Field(
        default_factory=TuningSettings, description="Calibrated thresholds that follow the labels that come in."
    )
    retention: RetentionSettings = Field(default_factory=RetentionSettings, description="How long text is kept.")
    guard: GuardSettings = Field(default_factory=GuardSettings, description="What is done at an alarm.")
    rollout: RolloutSettings = Field(
        default_factory=RolloutSettings, description="How a new policy version is exposed, by evidence."
    )
    sources: dict[Name, SourceSettings] = Field(
        default_factory=dict, description="Where business outcomes come from, by name."
    )
    alerts: AlertsSettings = Field(default_factory=AlertsSettings, description="Who is told of an alarm.")
    passthrough: PassthroughSettings = Field(
        default_factory=PassthroughSettings, description="Upstream for the paths that are not routed."
    )
    keys: dict[Name, KeySettings] = Field(default_factory=dict, description="Keys with which callers come, by name.")
    gateway: GatewaySettings = Field(
        default_factory=GatewaySettings, description="Limits on callers, and how the gateway runs."
    )
    ui: UiSettings = Field(default_factory=UiSettings, description="The dashboard under /ui, and who may open it.")
    upstream: UpstreamSettings = Field(
        default_factory=UpstreamSettings, description="Deadlines, retries and breakers towards upstreams."
    )
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings, description="Metrics, traces and logs.")

    @property
    def tier_order(self) -> tuple[str, ...] | None:
        """Tier names, cheapest first, where the settings say so; None: the log's own costs decide.

        They say so by `rank`, by price tables for all tiers, or by the two customary names.

        Examples:
            >>> Settings(tiers={"capable": {}, "cheap": {}}).tier_order
            ('cheap', 'capable')
            >>> Settings(tiers={"large": {}, "small": {}}).tier_order is None
            True
        """
        tiers = self.tiers
        if tiers and all(tier.rank is not None for tier in tiers.values()):
            return tuple(sorted(tiers, key=lambda name: tiers[name].rank or 0))
        if set(tiers) == {"cheap", "capable"}:
            return ("cheap", "capable")
        prices = {name: tier.prices for name, tier in tiers.items()}
        if tiers and all(not isinstance(price, str) for price in prices.values()):
            # Output tokens are dearer everywhere and fewer: three prompt tokens to one answer token is a common mix.
            mixed = {
                name: 3 * price.input_usd_per_mtok + price.output_usd_per_mtok
                for name, price in prices.items()
                if not isinstance(price, str)
            }
            return tuple(sorted(mixed, key=lambda name: mixed[name]))
        return None

    @property
    def monitors_margin(self) -> float:
        """`monitors.margin`, or its default where it is unset."""
        return DEFAULT_MONITORS_MARGIN if self.monitors.margin is None else self.monitors.margin
