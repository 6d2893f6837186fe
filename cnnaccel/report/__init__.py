"""Tables, pictures and progress for people. Computes no result of its own."""
