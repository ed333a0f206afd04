"""Classifiers that decide before any model runs: a text classifier in plain Python, and similarity of embeddings."""
