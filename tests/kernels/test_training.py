"""Training with Triton's kernels, as host libraries train: on the GPU where there is one, else in the interpreter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper

from hrformer_mm import HRFormer
from hrformer_mm.ops import attention, set_attention_backend

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)


@pytest.fixture(autouse=True)
def backend():
    previous = set_attention_backend('auto')
    yield
    set_attention_backend(previous)


@pytest.fixture
def calls(monkeypatch):
    """The dtypes in which the kernels were called."""
    seen, kernels = [], attention.triton_attention
    monkeypatch.setattr(attention, 'triton_attention', lambda qkv, *rest: seen.append(qkv.dtype) or kernels(qkv, *rest))
    return seen


def build(**options):
    """Batch norms of evaluation: those of two images of a place each would blow all rounding up."""
    torch.manual_seed(0)
    return HRFormer(**dict(dict(arch=MICRO, window_sizes=4, norm_eval=True), **options)).to(DEVICE).train()


def images():
    return torch.randn(2, 3, 32, 24, generator=torch.Generator().manual_seed(1)).to(DEVICE)


def loss_of(outs):
    return sum(y.float().square().mean() for y in outs)


def mmengine_step(model, optimizer, dtype, monkeypatch):
    """By mmengine's wrapper, which asks for a GPU when it is built, and has a scaler that is idle without one."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    wrapper = AmpOptimWrapper(dtype=dtype, loss_scale=1024., optimizer=optimizer)
    with wrapper.optim_context(model):
        loss = loss_of(model(images()))
    wrapper.update_params(loss)
    return loss.item()


def pytorch_step(model, optimizer, dtype, monkeypatch):
    """mmengine has no autocast of float16 on the CPU."""
    scaler = torch.amp.GradScaler(DEVICE, init_scale=1024.)
    with torch.autocast(DEVICE, getattr(torch, dtype)):
        loss = loss_of(model(images()))
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 1024, 'the step was skipped'
    return loss.item()


def plain_step(model, optimizer, dtype, monkeypatch):
    loss = loss_of(model(images()))
    loss.backward()
    optimizer.step()
    return loss.item()


@pytest.mark.filterwarnings('ignore:.*GradScaler')
@pytest.mark.parametrize('dtype, step', [
    ('bfloat16', mmengine_step), ('float16', mmengine_step if DEVICE == 'cuda' else pytorch_step)])
def test_mixed_precision(calls, monkeypatch, dtype, step):
    """No more than twice as far from float32 as the formula is in mixed precision."""
    found = {}
    for backend, run in (('float32', plain_step), ('plain', step), ('triton', step)):
        set_attention_backend('plain' if backend == 'float32' else backend)
        model = build(window_sizes=7)
        before = torch.cat([p.detach().flatten() for p in model.parameters()])
        loss = run(model, torch.optim.SGD(model.parameters(), lr=0.1), dtype, monkeypatch)
        after = torch.cat([p.detach().flatten() for p in model.parameters()])
        assert after.dtype == torch.float32
        found[backend] = loss, after - before
    assert set(calls) == {getattr(torch, dtype)} and len(calls) == 9
    loss, change = found['float32']
    errors = {name: ((d - change).norm() / change.norm()).item() for name, (_, d) in found.items()}
    assert 1e-4 < errors['plain'] and errors['triton'] < 2 * errors['plain'] < 0.1
    assert abs(found['triton'][0] - loss) < 1e-2 * loss


@pytest.mark.slow
def test_checkpointing(calls):
    set_attention_backend('triton')
    results = []
    for with_cp in (False, True, 'cheap'):
        model = build(with_cp=with_cp, drop_path_rate=0.3)
        torch.manual_seed(2)
        loss = loss_of(model(images()))
        loss.backward()
        results.append([loss.detach(), *(p.grad for p in model.parameters())])
    assert len(calls) == 9 * (1 + 2 + 2)
    for others in results[1:]:
        for a, b in zip(others, results[0]):
            assert (a - b).norm() <= 1e-6 * b.norm()


@pytest.mark.slow
def test_a_compiled_step_is_one_graph():
    torch.compiler.reset()
    found = []
    for backend, compile in (('plain', False), ('triton', dict(backend='aot_eager', fullgraph=True, dynamic=False))):
        set_attention_backend(backend)
        model = build(compile=compile)
        loss = loss_of(model(images()))
        loss.backward()
        found.append([loss.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])])
    torch.compiler.reset()
    assert all((a - b).norm() <= 1e-5 * b.norm() for a, b in zip(*found))


@pytest.mark.slow
def test_two_processes(tmp_path):
    script = Path(__file__).with_name('several_processes.py')
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2', '--rdzv-backend', 'c10d',
               '--rdzv-endpoint', 'localhost:0', str(script), str(tmp_path / 'out.json')]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300,
                          env={**os.environ, 'TRITON_INTERPRET': '1', 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads((tmp_path / 'out.json').read_text())
    losses, norms = found['DDP']['plain']
    assert losses[0] != losses[1]
    for wrapper, backends in found.items():
        for backend, (others, weights) in backends.items():
            assert others == pytest.approx(losses, rel=1e-5), (wrapper, backend)
            assert weights == pytest.approx(norms, rel=1e-5, abs=1e-6), (wrapper, backend)
