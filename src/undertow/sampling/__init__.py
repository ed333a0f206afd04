"""Which decisions are looked at more closely: draws with known probabilities, and where they are spent. Pure."""
