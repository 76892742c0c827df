"""How fast the look-up is, beside the same look-up through other libraries. `make bench`; docs/performance.md."""
