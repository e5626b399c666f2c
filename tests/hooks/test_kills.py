"""Trainings that are killed while they save checkpoints. `python tests/hooks/test_kills.py 30` reports 30 kills."""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAVE = [dict(), dict(max_keep_ckpts=1), dict(save_best='score', rule='greater', max_keep_ckpts=1)]


def newest_good(work):
    from hrformer_mm.weights import read_checkpoint

    good = 0
    for path in work.glob('iter_*.pth'):
        read_checkpoint(path)  # a partial checkpoint fails here
        good = max(good, int(path.stem[5:]))
    for path in work.glob('best_*.pth'):
        read_checkpoint(path)
    return good


def kill_while_saving(folder, save, kills):
    """Start or resume a training, and kill it while it saves a checkpoint."""
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    import small_training

    work, resumed = folder / 'work', 0
    config = small_training.config(work, 10**6, save=save, validate=True, model=dict(extra=400_000), launcher='none')
    config.train_dataloader.num_workers = 0
    config.dump(str(folder / 'config.py'))
    environment = {**os.environ, 'PYTHONPATH': f'{ROOT}:{Path(__file__).parent}'}
    mim = [
        str(Path(sys.executable).with_name('mim')),
        'train',
        'mmseg',
        str(folder / 'config.py'),
        '--gpus',
        '0',
        '--work-dir',
        str(work),
        '--resume',
    ]
    before = 0
    for kill in range(kills + 1):
        log = folder / f'{kill}.log'
        with log.open('w') as out:
            process = subprocess.Popen(mim, stdout=out, stderr=out, env=environment, start_new_session=True, cwd=folder)
        end = time.time() + 120
        wanted = before + random.randint(1, 3)
        while process.poll() is None and time.time() < end and not list(work.glob(f'iter_{wanted}.pth')):
            time.sleep(0.005)
        while process.poll() is None and time.time() < end and not list(work.glob('.unfinished-*')):
            pass
        time.sleep(random.uniform(0, 0.03))
        alive = process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert alive, log.read_text()[-3000:]
        if kill:
            found = re.search(r'resumed epoch: \d+, iter: (\d+)', log.read_text())
            assert found and before - 1 <= int(found[1]) <= before, f'{before}: {found}'
            resumed += 1
        after = newest_good(work)
        assert after >= wanted, 'a checkpoint was lost'
        before = after
    return resumed


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize('save', SAVE, ids=['keep-all', 'keep-1', 'save-best'])
def test_kills(tmp_path, save):
    assert kill_while_saving(tmp_path, save, 2) == 2


if __name__ == '__main__':
    each = -(-int(sys.argv[1] if len(sys.argv) > 1 else 30) // len(SAVE))
    total = 0
    for saving in SAVE:
        with tempfile.TemporaryDirectory() as temporary:
            total += kill_while_saving(Path(temporary), saving, each)
        print(f'{saving}: {each} kills, {each} resumed, 0 checkpoints lost', flush=True)
    print(f'{total} kills while saving, {total} resumed')
