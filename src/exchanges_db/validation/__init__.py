"""Checks whether a database is as it should be, and reports what they found."""
