"""What all tests share: how hypothesis draws, and a random generator from a printed seed."""

import numpy as np
import pytest
from hypothesis import settings

# The everyday run draws the same cases each time; the sweeps marked slow draw new ones.
settings.register_profile("everyday", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("sweep", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("everyday")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator that depends on the test's name alone."""
    seed = sum(request.node.name.encode())
    print(f"seed {seed}")
    return np.random.default_rng(seed)
