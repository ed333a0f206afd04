"""Savings, downstream cost and net value, in USD a month with intervals. Pure."""
