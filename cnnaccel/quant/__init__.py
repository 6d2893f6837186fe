"""The way from a trained nn.Module to the integer Graph: export, canonical form, PT2E, lowering.

The last floor that knows floats. May import torch and torchao; what leaves it is numpy.
"""
