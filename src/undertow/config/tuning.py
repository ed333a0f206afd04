"""`[tuning]`: thresholds that follow their labels. Read by `undertow tune` and, where enabled, by the keeper of `undertow serve`."""

from pydantic import Field

from undertow.config.section import Section


class TuningSettings(Section):
    """How calibrated thresholds follow the labels that come in."""

    enabled: bool = Field(
        default=False,
        description="Whether the keeper tunes. Off: thresholds stay as calibrated until somebody runs `undertow tune`.",
    )
    every_minutes: float = Field(
        default=60.0, ge=1, le=10_080, description="Minutes between two runs of the keeper; each reads the recent log."
    )
    step: float = Field(
        default=0.15,
        gt=0,
        le=2,
        description="Log-odds of confidence by which one served failure raises a threshold. .15 brought real tasks back inside their "
        "margin within 35 to 240 labels, and cost 5 to 10 % of acceptance while nothing was wrong.",
    )
    max_step: float = Field(
        default=1.0, gt=0, le=10, description="Most that one run moves a threshold, in log-odds of confidence."
    )
    window_days: float = Field(
        default=30.0,
        ge=1,
        le=3660,
        description="Labels of decisions of so many days are looked at; older ones describe other traffic.",
    )
