"""The one place that builds adapters and hands them to services, one entry point a file.

audit.py     the audit of a log
plan.py      settings -> the serving plan of the data plane (plan_file.py reads it, serving_check.py says what is missing)
gateway.py   plan -> a router with its upstreams and its log (imports no numpy, duckdb or pydantic)
keeper.py    plan -> the jobs beside the data plane
reviewing.py the reviewers' desk of a store, and the log from which a day is drawn
"""
