"""What a judge is asked and how its words are read; nothing here calls a model. Pure."""
