"""The command `exchanges-db`."""
