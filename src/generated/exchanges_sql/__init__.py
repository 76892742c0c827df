"""Typed async functions for db/queries/*.sql, written by sqlc with sqlc-gen-python.

Only this file is by hand. The others are what the plugin printed: change the SQL and run `make generate`.
"""
