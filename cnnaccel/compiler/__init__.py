"""From the integer graph to a program: `compile` lists the passes."""
