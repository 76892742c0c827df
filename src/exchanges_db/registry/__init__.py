"""Everything in memory, kept fresh: look-ups that await nothing."""
