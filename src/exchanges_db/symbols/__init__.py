"""The symbols of the exchanges: read from their lists, imported, looked up, now and before."""
