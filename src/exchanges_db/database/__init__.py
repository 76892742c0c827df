"""Connections: how a DATABASE_URL becomes a pool, who borrows from it, and what its failures are called."""
