"""Programs as C99: one file that computes without allocating, and a module that calls it."""
