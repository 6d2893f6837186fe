"""What runs beside an engine, on a board or simulated: needs numpy and pynq, Python 3.8 or later.

Knows registers, buffers and files, nothing of networks, compilers or how the engine was made. Of
the rest of the package it uses `errors` alone, so these two are all that a board needs.
"""
