"""Keeps the best bids and asks of an exchange beside exchanges_db, in one database."""
