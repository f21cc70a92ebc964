"""Systems of indexed recurrence equations, and the derivations: maps from systems to systems."""
