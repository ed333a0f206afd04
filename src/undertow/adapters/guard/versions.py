"""Every version of a policy that has served, with copies of the files that it names: what a roll-back serves by.

    <store>.guard/policies/VERSION.json           `PolicyVersion`, with a hash over its content
    <store>.guard/policies/artefacts/SHA256.json  a calibration or a classifier, named by its content

A version never changes, so a file that is there is never written again; one that is not what its hash says is no version, and is replaced
when the same version serves anew.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from undertow.adapters.ownership import make_folders
from undertow.adapters.whole_file import read_whole, write_whole
from undertow.errors import ConfigError
from undertow.policies.version import artefact_paths, policy_version
from undertow.records.guard import POLICY_VERSIONS, VERSION_SCHEMA, PolicyVersion
from undertow.records.sealed import seal, unseal
from undertow.records.serving import PolicyPlan, ServingPlan, TierPlan

MAX_BYTES = 500_000_000
"""No artefact is larger."""
MADE_BY = "undertow serve"
ARTEFACTS = "artefacts"
_VERSION = re.compile(r"[0-9A-Za-z_-]{1,64}")
_ARTEFACT = re.compile(r"[0-9a-f]{64}(\.[A-Za-z0-9]{1,16})?")


def keep_version(guard: Path, plan: ServingPlan, policy: PolicyPlan, at: str) -> bool:
    """Keep a version that begins to serve.

    Args:
        guard: The guard's folder beside the store.
        plan: What is served.
        policy: One of its policies.
        at: Now, RFC 3339.

    Returns:
        Whether it is new; False: it is kept already.

    Raises:
        ConfigError: A file that the policy names cannot be read, or has changed since the plan was compiled.
        OSError: It cannot be written.
    """
    folder = guard / POLICY_VERSIONS
    try:
        read_version(guard, policy.version)
    except ConfigError:
        pass
    else:
        return False
    contents = {path: read_whole(path, MAX_BYTES, MADE_BY) for path in artefact_paths(policy)}
    tiers = {tier.name: tier for tier in plan.tiers if tier.name in policy.tiers}
    if policy_version(policy, tiers, plan.constraints, plan.holdout, contents.values()) != policy.version:
        raise ConfigError(
            f"policy {policy.name}: a file that it names has changed since the settings were read; reload them"
        )
    make_folders(folder / ARTEFACTS)
    names = {path: _keep_artefact(folder / ARTEFACTS, path, content) for path, content in contents.items()}
    version = PolicyVersion(
        version=policy.version,
        first_served_at=at,
        policy=_with_paths(policy, names),
        tiers={name: msgspec.to_builtins(tier) for name, tier in tiers.items()},
        constraints=plan.constraints,
        holdout=plan.holdout,
    )
    write_whole(folder / f"{policy.version}.json", seal(version))
    return True


def read_version(guard: Path, version: str) -> PolicyVersion:
    """A version, as it was kept; the paths in it lead to the copies, whose contents are what they were.

    Raises:
        ConfigError: There is none, or it or one of its files is not what it was.
    """
    if not _VERSION.fullmatch(version):
        raise ConfigError(f"{version[:40]!r} is no version of a policy")
    path = guard / POLICY_VERSIONS / f"{version}.json"
    found, _ = unseal(
        read_whole(path, MAX_BYTES, MADE_BY), str(path), PolicyVersion, schema=VERSION_SCHEMA, made_by=MADE_BY
    )
    if found.version != version:
        raise ConfigError(f"{path}: holds version {found.version[:40]!r}; it was renamed")
    paths: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for name in artefact_paths(found.policy):
        file = guard / POLICY_VERSIONS / ARTEFACTS / name
        if not _ARTEFACT.fullmatch(name):
            raise ConfigError(f"{path}: {name[:80]!r} is no name of a copy")
        contents[name] = read_whole(file, MAX_BYTES, MADE_BY)
        if hashlib.sha256(contents[name]).hexdigest() != name.partition(".")[0]:
            raise ConfigError(f"{file}: its content is not what its name says")
        paths[name] = str(file)
    # A file that was changed and sealed again would serve by another policy under the name of this one.
    files = [contents[name] for name in artefact_paths(found.policy)]
    if policy_version(found.policy, tiers_of(found), found.constraints, found.holdout, files) != version:
        raise ConfigError(f"{path}: what it holds is not version {version}; it was edited")
    return msgspec.structs.replace(found, policy=_with_paths(found.policy, paths))


def read_versions(guard: Path) -> tuple[tuple[PolicyVersion, ...], tuple[str, ...]]:
    """All versions, oldest first, and why files among them are none."""
    found: list[PolicyVersion] = []
    problems: list[str] = []
    folder = guard / POLICY_VERSIONS
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            found.append(read_version(guard, path.stem))
        except ConfigError as error:
            problems.append(str(error))
    return tuple(sorted(found, key=_first_served)), tuple(problems)


def tiers_of(version: PolicyVersion) -> Mapping[str, TierPlan]:
    """The tiers of a version, by name.

    Raises:
        ConfigError: They are none, or not those that its policy uses.
    """
    try:
        tiers = {name: msgspec.convert(tier, TierPlan) for name, tier in version.tiers.items()}
    except msgspec.ValidationError as error:
        raise ConfigError(f"version {version.version}: its tiers cannot be read ({error})") from None
    if set(tiers) != set(version.policy.tiers):
        raise ConfigError(f"version {version.version}: its tiers are not those of its policy")
    return tiers


def _first_served(version: PolicyVersion) -> tuple[str, str]:
    return version.first_served_at, version.version


def _keep_artefact(folder: Path, path: str, content: bytes) -> str:
    """Copy a file, and give the copy's name."""
    sha256 = hashlib.sha256(content).hexdigest()
    suffix = Path(path).suffix
    name = sha256 + (suffix if _ARTEFACT.fullmatch(sha256 + suffix) else "")
    copy = folder / name
    if not copy.exists() or hashlib.sha256(copy.read_bytes()).hexdigest() != sha256:
        write_whole(copy, content)
    return name


def _with_paths(policy: PolicyPlan, paths: Mapping[str, str]) -> PolicyPlan:
    def changed(path: str | None) -> str | None:
        return None if path is None else paths[path]

    return msgspec.structs.replace(
        policy,
        artefact=changed(policy.artefact),
        calibrations=tuple(paths[path] for path in policy.calibrations),
        predictive=changed(policy.predictive),
    )
