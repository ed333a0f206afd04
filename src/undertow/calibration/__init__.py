"""From scores to confidence, and from confidence to a threshold with a guarantee. Pure: arrays in, artefact values out."""
