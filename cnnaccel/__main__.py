"""`python -m cnnaccel`, which is also what torchrun starts."""

from cnnaccel.cli import main

main()
