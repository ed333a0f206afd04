"""Which of the causes an alarm has, and what else changed near its onset. Pure."""
