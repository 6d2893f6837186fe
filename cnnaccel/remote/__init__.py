"""A board at the other end of a network."""
