"""What tuning reads from a store, and the files in which thresholds, their history and the controllers are kept."""
