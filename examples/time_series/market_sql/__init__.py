"""Typed async functions for db/queries/*.sql, written by sqlc with sqlc-gen-python; only this file is by hand."""
