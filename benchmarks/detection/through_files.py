"""Seeds through log files and the whole audit, beside their sufficient statistics."""

from detection_end_to_end import compare_through_files
from report import Report

SEEDS = 20


def bench_end_to_end(report: Report, seeds: int) -> None:
    """Seeds through log files and the whole audit: must alarm on the same days as the sufficient statistics do."""
    criterion, bar = "seeds end to end through files that agree exactly with sufficient statistics", f"all of {SEEDS}"
    if seeds == 0:
        print("\nEnd to end through files: not run")
        report.add(criterion, bar, 1.0, None, None, 0, None, "not run")
        return
    agreeing = sum(bool(compare_through_files(report.seed + i)) for i in range(seeds))
    print(f"\nEnd to end through files: {agreeing} of {seeds} seeds agree exactly")
    report.add(criterion, bar, 1.0, agreeing / seeds, None, seeds, None if seeds < SEEDS else agreeing == seeds)
