"""Regression suites: cases with a known right answer, scored and compared from run to run, split by tier. Pure."""
