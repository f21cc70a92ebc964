"""Ways to minimise a loss: each a pure step from one state to the next."""
