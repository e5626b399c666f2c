"""Warnings about threads on simulated processors."""

import pytest
from mmengine.logging import MMLogger
from torch import nn

from hrformer_mm import threads
from hrformer_mm.hooks.threads import warn_of_threads


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Simulate eight processors, of which other processes use `busy`, in a container with a quota."""

    def make(busy, quota='max 100000'):
        ticks = iter([(0, 0, 0, 0, 0, 0, 0, 0), (busy, 0, 0, 8 - busy, 0, 0, 0, 0)])

        class Stat:
            def read_text(self):
                return 'cpu  ' + ' '.join(str(int(1000 * n)) for n in next(ticks)) + ' 0 0\n'

        monkeypatch.setattr(threads, 'STAT', Stat())
        monkeypatch.setattr(threads, 'SAMPLE', 0)
        monkeypatch.setattr(threads, 'CPU_MAX', tmp_path / 'cpu.max')
        threads.CPU_MAX.write_text(quota)
        monkeypatch.setattr(threads.os, 'cpu_count', lambda: 8)
        monkeypatch.setattr(threads.os, 'sched_getaffinity', lambda pid: range(8), raising=False)

    return make


@pytest.mark.parametrize(
    'busy, quota, wanted, free',
    [
        (0, 'max 100000', 8, None),  # a single process uses all
        (0.3, 'max 100000', 8, None),
        (6, 'max 100000', 2, None),
        (6, 'max 100000', 8, 2),
        (9, 'max 100000', 8, 1),  # at least one
        (0, '200000 100000', 8, 2),
        (5, '400000 100000', 4, 3),
    ],
)
def test_advice(machine, busy, quota, wanted, free):
    machine(busy, quota)
    advice = threads.crowded(wanted)
    assert advice is None if free is None else f'OMP_NUM_THREADS={free}' in advice and f'{wanted} threads' in advice


def test_unknown_machines_give_no_advice(machine, monkeypatch, tmp_path):
    machine(0)
    monkeypatch.setattr(threads, 'STAT', tmp_path / 'none')
    monkeypatch.setattr(threads, 'CPU_MAX', tmp_path / 'none')
    assert threads.crowded(8) is None


def test_training_warns(machine, monkeypatch, capsys):
    machine(7)
    runner = type('Runner', (), dict(model=nn.Linear(1, 1), logger=MMLogger.get_instance('threads')))
    monkeypatch.setattr('torch.get_num_threads', lambda: 8)
    warn_of_threads(runner)
    assert 'OMP_NUM_THREADS=1' in ''.join(capsys.readouterr())
