"""The schema in the database: its migrations, and whether it equals the one on record."""
