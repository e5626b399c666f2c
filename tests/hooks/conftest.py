import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # small_training, which the trainings in processes of their own import too


@pytest.fixture
def training():
    """The module, imported once: it registers its classes."""
    import small_training
    return small_training
