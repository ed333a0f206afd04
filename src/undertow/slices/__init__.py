"""Where a tier loses: conjunctions of segments, and groups of requests that no label names. Pure."""
