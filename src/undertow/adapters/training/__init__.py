"""Reads what classifiers are trained on: labelled tables, and logs with kept text joined with their signals."""
