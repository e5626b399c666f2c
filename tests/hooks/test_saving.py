"""A full disk loses no checkpoint and leaves no partial file under a final name."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine._strategy import SingleDeviceStrategy
from mmengine.registry import STRATEGIES
from mmengine.runner import find_latest_checkpoint
from mmengine.runner._flexible_runner import FlexibleRunner

from hrformer_mm.hooks.loading import choose_checkpoint
from hrformer_mm.weights import files, read_checkpoint

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('call', ['write', 'fsync', 'replace'])
@pytest.mark.parametrize('keep', [-1, 1])
def test_full_disk_at_any_step(training, tmp_path, monkeypatch, call, keep):
    training.runner(tmp_path, 1, save=dict(max_keep_ckpts=keep)).train()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    if call == 'write':
        real = files.os.fdopen

        def opened(*args, **kwargs):
            file = real(*args, **kwargs)
            file.close()
            full()

        monkeypatch.setattr(files.os, 'fdopen', opened)
    else:
        monkeypatch.setattr(files.os, call, full)
    with pytest.raises(OSError, match=r'iter_2.pth \([\d,]+ bytes\) was not written: No space left.*Free space'):
        training.runner(tmp_path, 2, resume=True, save=dict(max_keep_ckpts=keep)).train()
    monkeypatch.undo()
    assert [
        path.name
        for path in tmp_path.iterdir()
        if path.is_file() and path.suffix != '.py' and path.name != 'last_checkpoint'
    ] == ['iter_1.pth']
    training.runner(tmp_path, 2, resume=True, save=dict(max_keep_ckpts=keep)).train()
    read_checkpoint(tmp_path / 'iter_2.pth')


@pytest.mark.integration
def test_exit_code_of_a_full_disk(tmp_path):
    """The kernel limits the size of a file, as a quota does."""
    code = (
        'import signal, resource, small_training; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); '
        f'r = small_training.runner({str(tmp_path)!r}, 6, model=dict(extra=100000)); '
        'resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000)); r.train()'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        timeout=120,
        env={'PATH': '', 'PYTHONPATH': f'{ROOT}:{Path(__file__).parent}', 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 1 and 'iter_1.pth' in done.stderr and 'was not written' in done.stderr, done.stderr
    assert not list(tmp_path.glob('*.pth')) and not list(tmp_path.glob('.unfinished-*'))


def test_pointer_holds_the_absolute_path(training, tmp_path):
    """mmengine finds the checkpoint by the pointer; see test_resume.py for folders that were moved."""
    training.runner(tmp_path / 'a', 1).train()
    assert find_latest_checkpoint(str(tmp_path / 'a')) == str(tmp_path / 'a/iter_1.pth')
    training.runner(tmp_path / 'b', 1, save=dict(out_dir=str(tmp_path / 'out'))).train()
    assert find_latest_checkpoint(str(tmp_path / 'b')) == str(tmp_path / 'out/b/iter_1.pth')


class FolderStrategy(SingleDeviceStrategy):
    """Strategy that saves checkpoints as folders, as mmengine's DeepSpeed strategy does."""

    def save_checkpoint(self, filename, *, extra_ckpt=None, **kwargs):
        assert len(list(Path(filename).parent.glob('*.pth'))) in (0, 1, 2)
        Path(filename).mkdir()
        state = dict(model=self.model.state_dict(), optimizer=self.optim_state_dict(), **(extra_ckpt or {}))
        torch.save(state, Path(filename) / 'states.pt')

    def resume(self, filename, **kwargs):
        state = torch.load(Path(filename) / 'states.pt', weights_only=False)
        self.model.load_state_dict(state['model'])
        self.load_optim_state_dict(state['optimizer'])
        return state


def test_checkpoint_folders_of_deepspeed(training, tmp_path):
    """Folders can be resumed, and are removed after a new one is written."""
    STRATEGIES.register_module(module=FolderStrategy, force=True)

    def run(folder, length, **others):
        cfg = training.config(
            folder,
            length,
            save=dict(max_keep_ckpts=1),
            strategy=dict(type='FolderStrategy'),
            experiment_name=f'{folder.name}{length}',
            **others,
        )
        runner = FlexibleRunner.from_cfg(cfg)
        runner.train()
        return runner

    first = run(tmp_path / 'a', 3)
    assert [path.name for path in (tmp_path / 'a').glob('iter_*')] == ['iter_3.pth']
    assert (tmp_path / 'a/iter_3.pth').is_dir() and first.iter == 3
    second = run(tmp_path / 'a', 4, resume=True)
    assert second.iter == 4 and [path.name for path in (tmp_path / 'a').glob('iter_*')] == ['iter_4.pth']


def test_folder_is_loaded_by_the_runner(training, tmp_path):
    (tmp_path / 'iter_1.pth').mkdir()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_1.pth'))
    runner = training.runner(tmp_path, 2, resume=True)
    assert choose_checkpoint(runner, tmp_path) is None and runner._load_from == str(tmp_path / 'iter_1.pth')
    runner = training.runner(tmp_path, 2, load_from=str(tmp_path / 'iter_1.pth'))
    assert choose_checkpoint(runner, tmp_path) is None and runner._load_from == str(tmp_path / 'iter_1.pth')
