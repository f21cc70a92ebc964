"""Programs as NumPy source."""
