"""The generated data sets that the tests of this folder read."""
from pathlib import Path

import pytest

from hrformer_mm.data import LAYOUTS, synthesize


@pytest.fixture(scope='session')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All layouts as they are by default."""
    root = tmp_path_factory.mktemp('synthetic') / 'data'
    assert synthesize(root) == [root / name for name in LAYOUTS]
    return root
