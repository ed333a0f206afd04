"""Calibration artefacts and the file of tuned thresholds, on disk.

An artefact is read once, at start, and anything wrong with it refuses the start. The file of thresholds changes while a gateway runs: what
is wrong with it is told to the caller, who goes on with what held before.
"""

from pathlib import Path

import msgspec

from undertow.adapters.whole_file import read_whole, write_whole
from undertow.errors import ConfigError
from undertow.policies.calibration_check import calibration_problems
from undertow.records.calibration import SCHEMA, Calibration, ThresholdStates
from undertow.records.sealed import content_hash, seal, unseal
from undertow.records.unreadable import UNREADABLE

MAX_BYTES = 10_000_000
"""No artefact and no file of thresholds is larger; what is gets refused before it is read."""

MADE_BY = "undertow calibrate"
STATES_SCHEMA = "undertow.thresholds/1"


def read_calibration(path: str | Path) -> tuple[Calibration, str]:
    """The calibration in a file, and its hash.

    Raises:
        ConfigError: The file cannot be read, was edited, or holds numbers that cannot be applied.
    """
    document = read_whole(path, MAX_BYTES, MADE_BY)
    calibration, sha256 = unseal(document, str(path), Calibration, schema=SCHEMA, made_by=MADE_BY)
    problems = list(calibration_problems(calibration))
    if problems:
        raise ConfigError(f"{path}: {'; '.join(problems)}; run `{MADE_BY}` again")
    return calibration, sha256


def write_calibration(calibration: Calibration, path: str | Path) -> str:
    """Write a calibration, as a whole or not at all.

    Returns:
        Its hash.

    Raises:
        ConfigError: It holds numbers that cannot be applied, so nothing is written.
        OSError: It cannot be written.
    """
    problems = list(calibration_problems(calibration))
    if problems:
        raise ConfigError(f"{path}: not written: {'; '.join(problems)}")
    write_whole(path, seal(calibration))
    return content_hash(msgspec.to_builtins(calibration))


def read_states(path: str | Path) -> tuple[ThresholdStates | None, str | None]:
    """The tuned thresholds in a file.

    Returns:
        The states and None; None and why it cannot be used; None and None where there is no file, which means that nothing was tuned.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            return None, f"larger than {MAX_BYTES:,} bytes"
        document = Path(path).read_bytes()
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"cannot be read ({error.strerror or type(error).__name__})"
    try:
        states = msgspec.json.decode(document, type=ThresholdStates)
    except UNREADABLE as error:
        return None, f"is no file of thresholds ({error})"
    problem = _states_problem(states)
    return (states, None) if problem is None else (None, problem)


def write_states(path: str | Path, states: ThresholdStates) -> None:
    """Write tuned thresholds, as a whole or not at all; the folder is made where it is missing.

    Raises:
        ConfigError: They could not be read again.
        OSError: They cannot be written.
    """
    problem = _states_problem(states)
    if problem is not None:
        raise ConfigError(f"{path}: not written: {problem}")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.format(msgspec.json.encode(states), indent=1) + b"\n")


def _states_problem(states: ThresholdStates) -> str | None:
    if states.schema != STATES_SCHEMA:
        return f"is of schema {states.schema[:60]!r}; this version reads {STATES_SCHEMA!r}"
    for policy, tiers in states.policies.items():
        for tier, state in tiers.items():
            where = f"policy {policy!r}, tier {tier!r}"
            if state.version < 0:
                return f"{where}: version {state.version} is negative"
            values = [group.value for group in state.groups]
            if len(set(values)) < len(values):
                return f"{where}: a group stands twice"
            for group in state.groups:
                # Written so that NaN, which compares as false, is refused.
                if group.threshold is not None and not 0.0 <= group.threshold <= 1.0:
                    return f"{where}: threshold {group.threshold:g} is not in [0, 1]"
    return None
