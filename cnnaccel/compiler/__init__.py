"""From the integer graph to a program for the engine, and what a program means. numpy only."""
