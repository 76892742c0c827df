"""The schema in the database: its migrations, and whether it is the one on record."""
