"""Reviews in a store and in files: texts and votes, the queue for other tools, and draws of a whole day."""
