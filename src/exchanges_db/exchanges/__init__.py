"""The exchanges: what is known of them, now and before, and how it is changed."""
