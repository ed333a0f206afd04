"""Short ways to what the guard decides by, and a book in memory that can fail like a disk."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.standing import since_of
from undertow.records.alert import Episode
from undertow.records.guard import RolloutState

START = datetime(2026, 3, 2, tzinfo=UTC)
STAGES = (0.05, 0.1, 0.25, 0.5, 1.0)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def text(day: float) -> str:
    return at(day).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state(stage=None, since=None, **more) -> RolloutState:
    stage = {"": 0} if stage is None else stage
    since = dict.fromkeys(stage, text(0)) if since is None else since
    return RolloutState(policy="auto", version="v1", stages=STAGES, stage=stage, since=since, **more)


def place(of: RolloutState, segment="", share=1.0, n=3000, loss=0.0, half=0.01, fresh=200, **more) -> PlaceEvidence:
    """Evidence that counts from the place's present stage on."""
    known = {
        "segment": segment, "share": share, "n": n, "loss": loss, "low": loss - half, "high": loss + half,
        "stage_since": since_of(of, segment), "fresh": fresh, "tier_fresh": fresh, "fresh_loss": loss, "fresh_low": -1.0,
    }  # fmt: skip
    return PlaceEvidence(**(known | more))


def tier(of: RolloutState, *segments: PlaceEvidence, whole: PlaceEvidence | None = None, **more) -> TierEvidence:
    return TierEvidence("cheap", whole or place(of), tuple(segments), labels_per_day=100.0, **more)


def episode(name="e1", segment="intent=billing", day=20, **more) -> Episode:
    known = {
        "id": name, "policy": "auto", "tier": "cheap", "segment": segment, "cause": "routing", "detected_at": text(day),
        "onset": text(day - 4), "onset_interval": (text(day - 6), text(day - 2)), "loss": 0.08, "loss_interval": (0.04, 0.12),
        "monitors": ("quality",),
    }  # fmt: skip
    return Episode(**(known | more))


class MemoryBook:
    """Implements `undertow.ports.guard.GuardBook`. `fails`: the next so many writes raise."""

    def __init__(self):
        self.kept_controls = self.kept_memory = None
        self.lines, self.served = (), ()
        self.fails, self.is_held, self.writes = 0, False, 0

    @contextmanager
    def locked(self):
        yield not self.is_held

    def controls(self):
        return self.kept_controls

    def trail(self):
        return self.lines

    def memory(self):
        return self.kept_memory

    def versions(self):
        return self.served

    def write(self, controls, memory, entries):
        if self.fails:
            self.fails -= 1
            raise OSError(30, "Read-only file system")
        self.writes += 1
        self.lines = (*self.lines, *entries)
        self.kept_memory = memory
        self.kept_controls = controls or self.kept_controls


__all__ = ["STAGES", "START", "MemoryBook", "at", "episode", "place", "replace", "state", "text", "tier"]
