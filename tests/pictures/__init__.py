"""The drawings of the docs; `python -m tests.pictures` writes them."""
