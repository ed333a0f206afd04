"""Ways to tell people of alarms, and the files in which that is kept."""
