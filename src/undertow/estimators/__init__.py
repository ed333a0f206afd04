"""Estimates per tier and segment from sufficient statistics, corrected for how labels were drawn. Pure."""
