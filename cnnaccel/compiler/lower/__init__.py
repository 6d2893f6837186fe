"""The graph as tasks: layers joined, channels in words, loop nests."""
