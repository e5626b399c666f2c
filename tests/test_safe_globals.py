"""mmengine's checkpoints with torch >= 2.6, which only reads allowed classes."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint

from hrformer_mm import safe_globals

VERSION = tuple(map(int, torch.__version__.split('.')[:2]))
needs_weights_only = pytest.mark.skipif(VERSION < (2, 6), reason='torch < 2.6 loads everything by default')
needs_list = pytest.mark.skipif(VERSION < (2, 4), reason='torch < 2.4 takes no list of what may be loaded')


class ToyModel(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))

    def forward(self, x: list, mode: str = 'tensor') -> Any:
        y = self.net(torch.stack(x))
        return dict(loss=y.square().mean() + y.sum()) if mode == 'loss' else [y]


class ToyMetric(BaseMetric):
    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict:
        return dict(accuracy=np.float64(0.5))  # a NumPy scalar ends up in the checkpoint, as with real metrics


def toy_runner(work_dir: Path, max_epochs: int, **kwargs) -> Runner:
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=[dict(x=torch.full((4,), float(i))) for i in range(8)],
    )
    return Runner(
        ToyModel(),
        str(work_dir),
        train_dataloader=loader,
        val_dataloader=dict(loader),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        val_cfg=dict(),
        val_evaluator=[ToyMetric()],
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3),
            dict(type='CosineAnnealingLR', T_max=3),
        ],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1), checkpoint=dict(type='CheckpointHook', save_best='auto')
        ),
        custom_hooks=[dict(type='EMAHook')],
        randomness=dict(seed=0),
        log_level='ERROR',
        experiment_name=f'{work_dir.name}_{max_epochs}',
        **kwargs,
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> Path:
    """Return a checkpoint that mmengine wrote after two epochs."""
    work_dir = tmp_path_factory.mktemp('toy')
    toy_runner(work_dir, 2).train()
    return work_dir / 'epoch_2.pth'


@needs_weights_only
def test_torch_rejects_checkpoints_without_the_workaround(run_python, checkpoint):
    out = run_python(
        'import sys, torch\ntry: torch.load(sys.argv[1])\nexcept Exception as error: print(type(error).__name__)',
        checkpoint,
    )
    assert out.strip() == 'UnpicklingError'  # if this fails, the workaround is no longer needed


@needs_list
def test_checkpoint_loads(checkpoint):
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    history = content['message_hub']['log_scalars']['train/loss']
    assert type(history) is HistoryBuffer and history.statistics('mean') == history.mean()
    assert content['message_hub']['runtime_info']['best_score'] == 0.5


def test_runner_resumes_and_loads(checkpoint):
    runner = toy_runner(checkpoint.parent, 3, resume=True)
    runner.train()
    assert runner.epoch == 3 and (checkpoint.parent / 'epoch_3.pth').is_file()
    assert 'message_hub' in _load_checkpoint(str(checkpoint), map_location='cpu')


@needs_list
def test_checkpoint_of_the_other_numpy_loads(checkpoint, tmp_path):
    """NumPy 2 renamed numpy.core to numpy._core; files of both versions load."""
    renamed = tmp_path / 'renamed.pth'
    with zipfile.ZipFile(checkpoint) as source, zipfile.ZipFile(renamed, 'w') as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith('data.pkl'):
                new, old = b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n'
                assert (new in data) != (old in data)
                data = data.replace(new, old) if new in data else data.replace(old, new)
            target.writestr(name, data)
    assert torch.load(renamed, weights_only=True)['message_hub']['runtime_info']['best_score'] == 0.5


@needs_list
@pytest.mark.parametrize('dtype', ['bool', 'uint8', 'int16', 'int32', 'int64', 'float16', 'float32', 'float64'])
def test_arrays_and_scalars_load(dtype, tmp_path):
    array = np.arange(4).astype(dtype)
    torch.save(dict(array=array, scalar=array[1]), tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['array'].dtype == array.dtype and (loaded['array'] == array).all() and loaded['scalar'] == array[1]


@needs_list
def test_empty_history_loads(tmp_path):
    torch.save(HistoryBuffer(), tmp_path / 'a.pth')  # an empty array is pickled by a different function
    assert torch.load(tmp_path / 'a.pth', weights_only=True).data[0].size == 0


class Call:
    """Object that is pickled as a function call, as in a malicious file."""

    def __init__(self, function: Callable, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


@needs_list
@pytest.mark.parametrize(
    'hostile',
    [
        Call(getattr, HistoryBuffer, '__init__'),
        Call(getattr, Call(getattr, HistoryBuffer, '__init__'), '__globals__'),
        Call(getattr, Call(getattr, HistoryBuffer, 'mean'), '__globals__'),
        Call(getattr, HistoryBuffer, '__subclasses__'),
        Call(getattr, HistoryBuffer, 'register_statistics'),
        Call(getattr, HistoryBuffer(), 'mean'),
        Call(getattr, np.ndarray, 'mean'),
        Call(getattr, HistoryBuffer, b'mean'),
        Call(HistoryBuffer.mean, HistoryBuffer([1.0], [1])),
        Call(os.system, 'exit 0'),
        Call(eval, '1 + 1'),
    ],
)
def test_malicious_checkpoint_is_rejected(hostile, tmp_path):
    torch.save(dict(state_dict={}, hostile=hostile), tmp_path / 'hostile.pth')
    with pytest.raises(pickle.UnpicklingError, match='getattr|system|eval|reduce'):
        torch.load(tmp_path / 'hostile.pth', weights_only=True)


@needs_weights_only
def test_workaround_is_idempotent():
    before = set(torch.serialization.get_safe_globals())
    safe_globals.allow_mmengine_checkpoints()
    assert set(torch.serialization.get_safe_globals()) == before
