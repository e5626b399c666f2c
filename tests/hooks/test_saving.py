"""A full disk costs no checkpoint, and no file under a final name is partial."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from hrformer_mm.weights import files, read_checkpoint

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('call', ['write', 'fsync', 'replace'])
@pytest.mark.parametrize('keep', [-1, 1])
def test_full_at_any_step(training, tmp_path, monkeypatch, call, keep):
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
    assert [path.name for path in tmp_path.iterdir() if path.is_file() and path.suffix != '.py'
            and path.name != 'last_checkpoint'] == ['iter_1.pth']
    training.runner(tmp_path, 2, resume=True, save=dict(max_keep_ckpts=keep)).train()
    read_checkpoint(tmp_path / 'iter_2.pth')


def test_exit_code_of_a_full_disk(tmp_path):
    """The kernel refuses to let a file grow beyond a limit, as a quota does."""
    code = ('import signal, resource, small_training; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); '
            f"r = small_training.runner({str(tmp_path)!r}, 6, model=dict(extra=100000)); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000)); r.train()")
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, timeout=120,
                          env={'PATH': '', 'PYTHONPATH': f'{ROOT}:{Path(__file__).parent}', 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 1 and 'iter_1.pth' in done.stderr and 'was not written' in done.stderr, done.stderr
    assert not list(tmp_path.glob('*.pth')) and not list(tmp_path.glob('.unfinished-*'))
