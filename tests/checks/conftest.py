import gc
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # faults and small_trainings, which the tests import


@pytest.fixture(scope='session')
def pristine(tmp_path_factory):
    """Good data, eight training samples of each layout."""
    from hrformer_mm.data import synthesize

    root = tmp_path_factory.mktemp('pristine')
    synthesize(root, ('custom', 'coco', 'imagenet', 'ade'), train=8, val=2, size=(64, 64))
    gc.freeze()  # mmengine collects garbage for each data set: not all of the libraries' again
    yield root
    gc.unfreeze()


@pytest.fixture
def data(pristine, tmp_path):
    """A copy of it, to be spoilt."""
    shutil.copytree(pristine, tmp_path / 'data')
    return tmp_path / 'data'
