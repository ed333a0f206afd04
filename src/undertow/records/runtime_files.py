"""Names of the files by which the processes of one gateway find each other, in the runtime folder, and what the keeper says there."""

import msgspec

TURNS_SOCKET = "turns.sock"
"""Unix datagram socket on which the keeper takes turns (`undertow.records.turn`)."""

LOOKUP_SOCKET = "keeper.sock"
"""Unix stream socket on which the keeper answers look-ups: a decision id and a newline in, its JSON record or nothing and a newline out."""

UI_SOCKET = "ui.sock"
"""Unix stream socket on which the dashboard's process speaks HTTP with workers, and with nobody else."""

UI_PEER_HEADER = "x-undertow-peer"
"""Header in which a worker tells the dashboard's process from which address a request came; callers' own are not passed on."""

UI_SECRET = "ui.secret"  # noqa: S105 - a file name
"""File with the random bytes by which logins of this run of the gateway are signed."""

UI_ENDED = "ui.ended"
"""File with the logins that were ended before their time, one a line: when they would have ended (Unix seconds), and which."""

HEARTBEAT = "keeper.json"
"""File that the keeper replaces every second, a `Heartbeat`; its age is the keeper's."""

SUPERVISION = "supervision.json"
"""File that the supervisor replaces when its children change: how they fare."""

LENGTH_RATIOS = "state/length-ratios.json"
"""File under the store's folder with the keeper's `LengthRatios`."""

THRESHOLDS = "state/thresholds.json"
"""File under the store's folder with `undertow.records.calibration.ThresholdStates`: thresholds tuned, certificates voided."""


SAMPLING = "state/sampling.json"
"""File under the store's folder with `undertow.records.sampling.SamplingRates`: written by the keeper, read by workers."""

WATCH_REPORT = "state/watch.json"
"""File under the store's folder: the audit of the store as the keeper last made it (`undertow.audit/1`)."""

SHADOW_SOCKET = "shadow.sock"
"""Unix stream socket on which the keeper takes `undertow.records.watched.ShadowRequest`s, each after its length (4 bytes, big-endian)."""

WATCHING_SPEND = "state/watching-spend.json"
"""File under the store's folder: what shadow answers and the judge have cost today, so that a restart forgets no budget."""


class JobState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one of the keeper's jobs.

    Attributes:
        runs: Times it ended well.
        failures: Times it failed.
        last_success_at: When it last ended well, Unix seconds, or None: never.
        running_since: When the run in hand began, Unix seconds, or None: it rests.
    """

    runs: int = 0
    failures: int = 0
    last_success_at: float | None = None
    running_since: float | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """What the keeper says of itself.

    Attributes:
        pid: Its process.
        at: When this was written, Unix seconds.
        jobs: State of each job.
        counts: Whole-number counters since it began, such as `turns`, `turns_dropped`, `implicit_signals`, `spans_lost`.
    """

    pid: int
    at: float
    jobs: dict[str, JobState]
    counts: dict[str, int]


class LengthRatios(msgspec.Struct, frozen=True, kw_only=True):
    """How much longer the capable tier answers than another tier, for the baseline cost.

    Attributes:
        schema: Version of this document.
        at: When it was computed, RFC 3339.
        tiers: By tier, then by segment (`intent=billing`; the empty string is the whole tier): mean output tokens of the
            capable tier on the requests that this tier served, as the holdout shows it, divided by those of its own answers.
    """

    schema: str = "undertow.length-ratios/1"
    at: str
    tiers: dict[str, dict[str, float]]
