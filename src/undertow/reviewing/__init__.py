"""People's reviews: which decision comes next, when raters agree, and what becomes of their votes. Pure."""
