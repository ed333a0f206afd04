"""The jobs beside the data plane: recovery, rotation to Parquet, implicit signals, traces. It may die; serving goes on."""
