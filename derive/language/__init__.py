"""The equation language: text to typed equations between quantities."""
