"""Orders: the rules of one symbol, exactly, and the symbols that exchanges have in common."""
