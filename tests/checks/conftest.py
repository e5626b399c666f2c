import gc
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests import faults and small_trainings


@pytest.fixture(scope='session')
def pristine(tmp_path_factory):
    """Valid data with eight training samples of each layout."""
    from hrformer_mm.data import synthesize

    root = tmp_path_factory.mktemp('pristine')
    synthesize(root, ('custom', 'coco', 'imagenet', 'ade'), train=8, val=2, size=(64, 64))
    gc.freeze()  # mmengine collects garbage for each data set: not all of the libraries' again
    yield root
    gc.unfreeze()


@pytest.fixture
def data(pristine, tmp_path):
    """A copy of the valid data, which a test may damage."""
    shutil.copytree(pristine, tmp_path / 'data')
    return tmp_path / 'data'
