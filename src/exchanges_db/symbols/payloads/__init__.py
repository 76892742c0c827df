"""Readers of the exchanges' own lists of symbols, one module an exchange. They read bytes, and nothing else."""
