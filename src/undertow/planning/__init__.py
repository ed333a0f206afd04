"""How soon a loss would be seen, before it happens. Pure."""
