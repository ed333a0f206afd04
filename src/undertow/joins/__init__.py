"""Rules by which signals find their decisions, independent of the engine that runs them. Pure."""
