"""Is the formula in the book right? Claims, two judges, the diagnosis and the repair."""
