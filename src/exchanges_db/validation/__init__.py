"""Whether a database is as it should be, with a report."""
