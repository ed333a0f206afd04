"""How long the source files are: the distribution, and the ten longest. Read, not enforced."""

import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print the table."""
    for folder in ("src", "tests", "benchmarks", "scripts"):
        lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
        sizes = sorted(size for size in lines.values() if size > 1)
        if len(sizes) < 2:
            continue
        p90 = statistics.quantiles(sizes, n=10)[-1]
        print(
            f"{folder}: {len(sizes)} files, {sum(sizes):,} lines; median {statistics.median(sizes):.0f}, p90 {p90:.0f}, "
            f"longest {sizes[-1]}, over 400: {sum(size > 400 for size in sizes)}"
        )
        if folder == "src":
            for path in sorted(lines, key=lambda path: -lines[path])[:10]:
                print(f"  {lines[path]:>5}  {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
