"""Where the in-process client's records go when that is no local store: standard output, or object storage."""
