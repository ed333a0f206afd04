"""Calibrated judges of the cascades of a plan, and the file that tells what has become of their thresholds."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from undertow.adapters.calibrations import read_calibration, read_states
from undertow.policies.build import build_judges
from undertow.policies.calibrated import CalibratedJudge
from undertow.policies.standing import Standing
from undertow.records.serving import PolicyPlan

log = logging.getLogger("undertow.gateway")

LOOK_AGAIN_S = 5.0
"""A voided certificate is in force after so long at the latest, in every worker."""

Judges = Mapping[str, Mapping[str, CalibratedJudge]]
"""By policy, then by the tier that is judged."""


def load_judges(policies: tuple[PolicyPlan, ...]) -> dict[str, dict[str, CalibratedJudge]]:
    """The judges of all policies that have a calibration.

    Raises:
        ConfigError: An artefact cannot be read, or is not what `undertow calibrate` wrote. A gateway that went on without it would
            serve by another rule than its user was promised.
    """
    return {
        policy.name: build_judges(policy, [read_calibration(path) for path in policy.calibrations])
        for policy in policies
        if policy.calibrations
    }


class ThresholdFile:
    """Puts tuned thresholds and voided certificates in force as the store's file tells them.

    A file that cannot be read, or that is gone after it was there, changes nothing: a certificate that was voided stays void.

    Args:
        path: The file; it may come and change.
        judges: Whom to tell.
    """

    def __init__(self, path: Path, judges: Judges) -> None:
        self._path = path
        self._judges = judges
        self._looked_s = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._has_state = False
        self._has_complained = False

    def refresh(self, now_s: float) -> None:
        """Look at the file if it is time to, and read it if it has changed."""
        if not self._judges or now_s - self._looked_s < LOOK_AGAIN_S:
            return
        self._looked_s = now_s
        try:
            stat = self._path.stat()
        except OSError:
            if self._has_state:
                self._complain("it is gone")
            return
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        states, problem = read_states(self._path)
        if states is None:
            self._complain(problem or "it is empty")
            return
        self._has_state, self._has_complained = True, False
        for policy, judges in self._judges.items():
            by_tier = states.policies.get(policy, {})
            for tier, judge in judges.items():
                if not judge.apply(by_tier.get(tier)):
                    log.warning("thresholds_of_another_calibration", extra={"policy": policy, "tier": tier})

    def _complain(self, why: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning("thresholds_unreadable", extra={"path": str(self._path), "why": why})


def standings(judges: Judges) -> Iterator[tuple[str, str, Standing, bool]]:
    """Policy, tier, how things stand for each group, and whether the calibration is suspect."""
    for policy, by_tier in judges.items():
        for tier, judge in by_tier.items():
            for standing in judge.standings():
                yield policy, tier, standing, judge.is_suspect
