"""A schedule as instructions: transfers, weights, tokens."""
