"""Readers of the exchanges' own lists of symbols, one module per list. They read bytes, and nothing else."""
