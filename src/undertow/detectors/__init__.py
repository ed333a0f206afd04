"""Sequential detectors: change with a known and an unknown baseline, budget over streams, onset, drift."""
