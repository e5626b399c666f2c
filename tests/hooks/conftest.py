import sys
from pathlib import Path

import pytest
import torch

# Folder of small_training, which trainings in separate processes also import.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def training():
    """Import the module once, because it registers its classes. Its tensors are too small for several threads."""
    import small_training

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield small_training
    torch.set_num_threads(threads)
