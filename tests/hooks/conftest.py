import sys
from pathlib import Path

import pytest

# Of small_training, which trainings in processes of their own import too.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def training():
    """The module, imported once: it registers its classes."""
    import small_training
    return small_training
