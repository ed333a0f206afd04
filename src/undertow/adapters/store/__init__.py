"""The store on local disk: append-only segments, their recovery, and their conversion to Parquet."""
