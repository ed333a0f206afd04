"""Logs of incidents, and the story they tell, drawn from a seed. Pure."""
