"""Connections: how a DATABASE_URL becomes a pool, who borrows from it, and which error each failure becomes."""
