"""The bill of materials of a default install, as CycloneDX 1.6 JSON: locked packages, who needs which, and the scripts in the wheel.

The same commit always gives the same bytes. `make sbom` writes `dist/undertow-VERSION.cdx.json` and holds it against CycloneDX' own schema.
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locked import Locked, read_lock

ROOT = Path(__file__).resolve().parent.parent
VENDORED = ROOT / "src" / "undertow" / "dashboard" / "static" / "vendor"
SCRIPT = re.compile(r"(?P<name>[a-z]+)-(?P<version>\d[\d.]*\d)\.min\.(?:js|css)")
LICENCES = {"htmx": "0BSD", "uplot": "MIT"}
"""SPDX ids of what the dashboard brings along; its texts stand beside the files."""
NPM_NAMES = {"htmx": "htmx.org", "uplot": "uplot"}
NAMESPACE = uuid.UUID("6f4a2a63-0a7e-5d0f-9d3b-2f0d7c1f6c11")


def package(locked: Locked) -> dict[str, Any]:
    """One locked package. Its hashes are those of all files of that version which may be installed."""
    purl = f"pkg:pypi/{locked.name}@{locked.version}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": locked.name,
        "version": locked.version,
        "purl": purl,
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{locked.name}/{locked.version}/",
                "hashes": [{"alg": "SHA-256", "content": content} for content in locked.hashes],
            }
        ],
    }
    if locked.marker:
        found["scope"] = "optional"
        found["properties"] = [{"name": "undertow:installed-where", "value": locked.marker}]
    return found


def vendored(folder: Path = VENDORED) -> list[dict[str, Any]]:
    """What lies in the wheel as its authors published it.

    Args:
        folder: With files `NAME-VERSION.min.js` and `NAME-LICENSE.txt`.
    """
    scripts: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.iterdir()):
        named = SCRIPT.fullmatch(path.name)
        if named is None:
            continue
        purl = f"pkg:npm/{NPM_NAMES[named['name']]}@{named['version']}"
        text = (folder / f"{named['name']}-LICENSE.txt").read_bytes()
        script = scripts.setdefault(
            purl,
            {
                "type": "library",
                "bom-ref": purl,
                "name": NPM_NAMES[named["name"]],
                "version": named["version"],
                "licenses": [
                    {
                        "license": {
                            "id": LICENCES[named["name"]],
                            "text": {
                                "contentType": "text/plain",
                                "encoding": "base64",
                                "content": base64.b64encode(text).decode(),
                            },
                        }
                    }
                ],
                "purl": purl,
                "components": [],
            },
        )
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        script["components"].append(
            {
                "type": "file",
                "bom-ref": f"{purl}#{path.name}",
                "name": path.relative_to(ROOT / "src").as_posix() if path.is_relative_to(ROOT) else path.name,
                "hashes": [{"alg": "SHA-256", "content": content}],
            }
        )
    return list(scripts.values())


def document(packages: list[Locked], scripts: list[dict[str, Any]], *, version: str, at: datetime) -> dict[str, Any]:
    """The bill of materials.

    Args:
        packages: Of the lock file of a default install.
        scripts: What `vendored` found.
        version: Of Undertow.
        at: When the commit was made.
    """
    root = f"pkg:pypi/undertow@{version}"
    components = [*map(package, packages), *scripts]
    needs: dict[str, list[str]] = {root: [script["bom-ref"] for script in scripts]}
    needs |= {component["bom-ref"]: [] for component in components}
    for locked in packages:
        for asker in locked.asked_by:
            askers = [root] if asker == "undertow" else [package(p)["bom-ref"] for p in packages if p.name == asker]
            for ref in askers:
                needs[ref].append(package(locked)["bom-ref"])
    made: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "undertow",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": root,
            },
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(on))} for ref, on in sorted(needs.items())],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(made, sort_keys=True))
    return {**made, "serialNumber": f"urn:uuid:{serial}"}


def commit_time() -> datetime:
    """When the checked-out commit was made."""
    command = ["git", "log", "-1", "--format=%ct"]
    seconds = int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    return datetime.fromtimestamp(seconds, UTC)


def main() -> int:
    """Write the bill; 1 if it is not what CycloneDX' schema says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    made = document(read_lock(ROOT / "requirements" / "base.txt"), vendored(), version=version, at=commit_time())
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        print(f"not CycloneDX 1.6: {fault}")
        return 1
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"undertow-{version}.cdx.json"
    path.write_text(text, encoding="utf-8")
    print(
        f"{path}: {len(made['components'])} components, valid CycloneDX 1.6, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
