"""Two interrupted and resumed processes end with the same weights as two uninterrupted ones."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def train(training, folder, processes, length, by_epoch=False, resume=False):
    config = training.config(folder, length, by_epoch, validate=True, randomness=dict(seed=3, diff_rank_seed=True))
    config.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
    config.dump(str(folder) + '.py')
    train_py = Path(find_spec('mmseg').origin).parent / '.mim/tools/train.py'
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        '--nproc-per-node',
        processes,
        '--master-port',
        29631,
        ROOT / 'tests/one_of_several.py',
        train_py,
        str(folder) + '.py',
        '--launcher',
        'pytorch',
        '--work-dir',
        folder,
        *(['--resume'] if resume else []),
    ]
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder.parent,
        env={'PATH': '', 'PYTHONPATH': f'{ROOT}:{HERE}', 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize('by_epoch', [False, True], ids=['iterations', 'epochs'])
def test_resumed_training_equals_uninterrupted(training, tmp_path, by_epoch):
    name = 'epoch_{}.pth' if by_epoch else 'iter_{}.pth'
    train(training, tmp_path / 'whole', 2, 4, by_epoch)
    (tmp_path / 'parts').mkdir()
    shutil.copy(tmp_path / 'whole' / name.format(2), tmp_path / 'parts')
    log = train(training, tmp_path / 'parts', 2, 4, by_epoch, resume=True)
    assert 'resumed epoch' in log
    whole, parts = (weights(tmp_path / folder / name.format(4)) for folder in ('whole', 'parts'))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    states = torch.load(tmp_path / 'parts' / name.format(4), weights_only=True)['random_state']
    assert len(states) == 2 and not torch.equal(states[0]['torch'], states[1]['torch'])


@pytest.mark.slow
@pytest.mark.integration
def test_another_number_of_processes_is_logged(training, tmp_path):
    train(training, tmp_path / 'two', 2, 2)
    (tmp_path / 'one').mkdir()
    shutil.copy(tmp_path / 'two' / 'iter_2.pth', tmp_path / 'one')
    log = train(training, tmp_path / 'one', 1, 3, resume=True)
    assert 'random states of 2 processes, and this training has 1' in log
    assert (tmp_path / 'one' / 'iter_3.pth').exists()
