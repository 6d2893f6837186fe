"""The compiler, from the integer graph to a program: `compile` lists the passes."""
