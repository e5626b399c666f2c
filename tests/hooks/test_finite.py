"""A loss or a weight that is not finite ends the training, and is not saved."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hrformer_mm.weights import read_checkpoint

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
def test_loss_that_is_not_finite(training, tmp_path, value):
    message = rf'iteration 3: loss_b is {value}\. The batch: (picture_\d+\.png,? ?)+'
    with pytest.raises(FloatingPointError, match=message):
        training.runner(tmp_path, 6, model=dict(broken_at=3, value=value)).train()
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_1.pth', 'iter_2.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_2.pth')


def test_gradient_that_is_not_finite(training, tmp_path):
    """If the loss is finite but the weights after the step are not, saving them raises an error."""
    with pytest.raises(FloatingPointError, match='iteration 2: 1 weights hold NaN or infinity.*head.weight'):
        training.runner(tmp_path, 6, model=dict(broken_gradient=2)).train()
    state = read_checkpoint(tmp_path / 'iter_1.pth')['state_dict']
    assert all(value.isfinite().all() for value in state.values())
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_1.pth']


def test_skipped_step_of_the_gradient_scaler(training, tmp_path):
    """PyTorch's gradient scaler skips the step of an overflowing gradient, and the training continues."""
    runner = training.runner(tmp_path, 4, model=dict(broken_gradient=2), param_scheduler=None)
    scaler = torch.amp.GradScaler('cpu', init_scale=16.0)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    wrapper = runner.optim_wrapper
    wrapper.backward = lambda loss, **kw: (
        scaler.scale(loss).backward(),
        setattr(wrapper, '_inner_count', wrapper._inner_count + 1),
    )
    wrapper.step = lambda **kw: (scaler.step(wrapper.optimizer), scaler.update())
    wrapper.optim_context = lambda model: contextlib.nullcontext()
    runner.train()
    assert scaler.get_scale() == 8.0  # halved once: one step was skipped
    assert (tmp_path / 'iter_4.pth').exists()


@pytest.mark.integration
def test_exit_code(tmp_path):
    code = f'import small_training; small_training.runner({str(tmp_path)!r}, 6, model=dict(broken_at=2)).train()'
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        timeout=120,
        env={'PATH': '', 'PYTHONPATH': f'{ROOT}:{Path(__file__).parent}', 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 1 and 'FloatingPointError: iteration 2: loss_b is nan' in done.stderr
