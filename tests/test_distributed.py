"""Training with two processes on the CPU by the libraries' own train.py, and the overlays of configs/overlays."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import mmcv
import numpy as np
import pytest
import torch
from mmengine._strategy import deepspeed
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import STRATEGIES

import hrformer_mm  # noqa: F401
from hrformer_mm.data import synthesize

ROOT = Path(__file__).parents[1]
OVERLAYS = sorted(path.stem for path in (ROOT / 'configs/overlays').glob('*.py'))
CONFIGS = ['ocr_hrformer-s_cityscapes', 'td-hm_hrformer-t_coco-256x192', 'hrformer-t_imagenet']

# The same two images in each iteration, no randomness, and norms that do not depend on the batch.
COMMON = """
custom_hooks = [dict(type='WriteLosses')]
sync_bn = None
randomness = dict(seed=0)
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)  # mmengine's default requires a GPU
default_hooks = dict(logger=dict(interval=1))
val_cfg = val_dataloader = val_evaluator = test_cfg = test_dataloader = test_evaluator = None
"""
LOADER = """dict(batch_size={batch}, num_workers=0, persistent_workers=False, sampler=dict(shuffle=False), """
SEG = (
    """
model = dict(data_preprocessor=dict(size=(64, 64)), backbone=dict(arch='tiny', drop_path_rate=0., norm_eval=True,
                           init_cfg=None),
             decode_head=dict(in_channels=[18, 36, 72, 144], channels=32, key_channels=16, dropout_ratio=0.,
                              norm_cfg=dict(type='GN', num_groups=1), sampler=None,
                              loss_decode=dict(class_weight=None), loss_auxiliary=dict(class_weight=None)))
train_dataloader = """
    + LOADER
    + """dataset=dict(data_root='{data}/cityscapes', pipeline=[
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='Resize', scale=(64, 64)),
    dict(type='PackSegInputs')]))
train_cfg = dict(max_iters={iters}, val_interval=1000)
"""
)
POSE = (
    """
model = dict(backbone=dict(drop_path_rate=0., norm_eval=True,
                           init_cfg=dict(_delete_=True, type='Normal', std=0.001, layer='Conv2d')))
train_dataloader = """
    + LOADER
    + """dataset=dict(data_root='{data}/coco', indices={iters} * 2, pipeline=[
    dict(type='LoadImage'), dict(type='GetBBoxCenterScale'), dict(type='TopdownAffine', input_size=(192, 256)),
    dict(type='GenerateTarget', encoder={{{{_base_.codec}}}}), dict(type='PackPoseInputs')]))
train_cfg = dict(max_epochs=1, val_interval=1000)
"""
)
TASKS = {'mmseg': (CONFIGS[0], SEG), 'mmpose': (CONFIGS[1], POSE)}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    synthesize(folder, ('cityscapes', 'coco'), train=8, val=2)
    # Each process averages over its own pixels: the mean of the means is the mean if no pixel is ignored.
    for path in (folder / 'cityscapes').rglob('*_labelTrainIds.png'):
        labels = mmcv.imread(path, 'unchanged')
        mmcv.imwrite(np.where(labels == 255, 0, labels), str(path))
    return folder


def start(package, data, work, processes, iters, overlay=None, base=None, images=2, extra=''):
    """Train with `images` per iteration for any number of processes; `extra` is appended to the config."""
    own_base, text = TASKS[package]
    base = base or own_base
    work.mkdir()
    text = COMMON + text.format(batch=images // processes, data=data, iters=iters) + extra
    (work / 'config.py').write_text(
        f"_base_ = '{ROOT}/configs/{base}.py'\n" + text.replace('{{{{', '{{').replace('}}}}', '}}')
    )
    config = ROOT / f'configs/overlays/{overlay}.py' if overlay else work / 'config.py'
    train = Path(find_spec(package).origin).parent / '.mim/tools/train.py'
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        '--nproc-per-node',
        str(processes),
        '--rdzv-backend',
        'c10d',
        '--rdzv-endpoint',
        'localhost:0',
        str(ROOT / 'tests/one_of_several.py'),
        str(train),
        str(config),
        '--launcher',
        'pytorch',
        '--work-dir',
        str(work),
    ]
    log = open(work / 'out.log', 'w')
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CONFIG': str(work / 'config.py')}
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env)


def train(package, data, work, processes, iters, *args, **kwargs):
    """Return the losses of all iterations, averaged over the processes, and the weights; see `start`."""
    code = start(package, data, work, processes, iters, *args, **kwargs).wait(timeout=600)
    assert code == 0, (work / 'out.log').read_text()[-4000:]
    losses = torch.tensor([json.loads((work / f'losses_{rank}.json').read_text()) for rank in range(processes)])
    assert losses.shape == (processes, iters)
    return losses.double().mean(0), torch.load(next(work.glob('*_*.pth')), weights_only=False)['state_dict']


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize('package', list(TASKS))
def test_two_processes_train_as_one(data, tmp_path, package):
    one, weights = train(package, data, tmp_path / 'one', 1, 3)
    two, others = train(package, data, tmp_path / 'two', 2, 3)
    assert one[0] != one[1]
    torch.testing.assert_close(two, one, rtol=1e-6, atol=0)
    assert list(others) == list(weights)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-5, atol=2e-6, msg=name)


@pytest.mark.slow
@pytest.mark.integration
def test_one_loss_curve(data, tmp_path):
    """Two processes, gradient accumulation and activation checkpointing have the loss curve of one large batch."""
    learning = 'param_scheduler = []\noptim_wrapper = dict(optimizer=dict(lr=1e-4))\n'
    checkpointing = learning + "model['backbone']['with_cp'] = True\n"
    plain, _ = train('mmseg', data, tmp_path / 'plain', 1, 20, images=4, extra=learning)
    assert plain[-1] < 0.95 * plain[0]
    two, _ = train('mmseg', data, tmp_path / 'two', 2, 20, images=4, extra=learning)
    torch.testing.assert_close(two, plain, rtol=1e-4, atol=0)
    accumulated, _ = train('mmseg', data, tmp_path / 'four', 1, 80, 'accumulate', images=1, extra=learning)
    torch.testing.assert_close(accumulated.view(20, 4).mean(1), plain, rtol=1e-4, atol=0)
    recomputed, _ = train('mmseg', data, tmp_path / 'cp', 1, 20, images=4, extra=checkpointing)
    torch.testing.assert_close(recomputed, plain, rtol=1e-6, atol=0)


@pytest.mark.slow
@pytest.mark.integration
def test_overlays_that_run_on_a_cpu(data, tmp_path):
    plain, weights = train('mmpose', data, tmp_path / 'plain', 1, 2)
    shared_out, others = train('mmpose', data, tmp_path / 'fsdp', 2, 2, 'fsdp')
    torch.testing.assert_close(shared_out, plain, rtol=1e-6, atol=0)
    assert {name: weight.shape for name, weight in others.items()} == {
        name: weight.shape for name, weight in weights.items()
    }
    accumulated, _ = train('mmpose', data, tmp_path / 'accumulate', 1, 2, 'accumulate')
    assert accumulated[0] == plain[0] and accumulated[1] != plain[1]  # no optimizer step in between


@pytest.mark.slow
@pytest.mark.integration
def test_fsdp_of_hrformer_b_trains_as_ddp(data, tmp_path):
    """Units of a million parameters split its blocks: qkv, fc1 and fc2 are gathered when they are called."""
    base = 'td-hm_hrformer-b_coco-256x192'
    ddp, weights = train('mmpose', data, tmp_path / 'ddp', 2, 3, base=base)
    fsdp, others = train('mmpose', data, tmp_path / 'fsdp', 2, 3, 'fsdp', base=base)
    assert ddp[0] != ddp[1]
    torch.testing.assert_close(fsdp, ddp, rtol=1e-6, atol=0)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-5, atol=2e-6, msg=name)


@pytest.mark.slow
@pytest.mark.integration
def test_a_job_ends_when_one_process_is_killed(data, tmp_path):
    work = tmp_path / 'killed'
    job = start('mmseg', data, work, 2, 100000)
    deadline = time.monotonic() + 300
    while not (work / 'losses_1.json').exists():
        assert job.poll() is None and time.monotonic() < deadline, (work / 'out.log').read_text()[-4000:]
        time.sleep(0.2)
    children = Path(f'/proc/{job.pid}/task/{job.pid}/children').read_text().split()
    assert len(children) == 2
    os.kill(int(children[1]), signal.SIGKILL)
    assert job.wait(timeout=60) != 0
    assert not any(Path(f'/proc/{child}').exists() for child in children)


@pytest.mark.parametrize('config', CONFIGS)
@pytest.mark.parametrize('overlay', OVERLAYS)
def test_an_overlay_changes_only_its_own_part(monkeypatch, config, overlay):
    path = ROOT / 'configs' / f'{config}.py'
    monkeypatch.setenv('CONFIG', str(path))
    plain, changed = Config.fromfile(path), Config.fromfile(ROOT / f'configs/overlays/{overlay}.py')

    def rest(cfg):
        return {key: value for key, value in cfg.items() if key not in ('optim_wrapper', 'runner_type', 'strategy')}

    assert rest(changed) == rest(plain) and changed != plain
    wrapper = changed.optim_wrapper.copy()
    if overlay == 'deepspeed' and 'clip_grad' in plain.optim_wrapper:  # its engine clips
        wrapper.clip_grad = dict(max_norm=changed.strategy.gradient_clipping)
    for key in ('optimizer', 'paramwise_cfg', 'clip_grad'):
        assert wrapper.get(key) == plain.optim_wrapper.get(key)


@pytest.mark.parametrize('config', CONFIGS)
@pytest.mark.parametrize('overlay', OVERLAYS)
def test_an_overlay_builds(monkeypatch, tmp_path, config, overlay):
    """Build the optimizer wrapper and the strategy; for a GPU or DeepSpeed, only the part that belongs to mmengine."""
    monkeypatch.setenv('CONFIG', str(ROOT / f'configs/{config}.py'))
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(deepspeed, 'deepspeed', SimpleNamespace(__version__='0.15.0'))
    cfg = Config.fromfile(ROOT / f'configs/overlays/{overlay}.py')
    wrapper = build_optim_wrapper(torch.nn.Linear(2, 2), cfg.optim_wrapper)
    assert type(wrapper).__name__ == cfg.optim_wrapper.get('type', 'OptimWrapper')
    assert type(wrapper.optimizer).__name__ == 'AdamW'
    expected = dict(amp_bf16=torch.bfloat16, amp_fp16=torch.float16).get(overlay)
    assert getattr(wrapper, 'cast_dtype', None) == expected
    if 'strategy' in cfg:
        strategy = STRATEGIES.build(dict(cfg.strategy, work_dir=str(tmp_path)))
        assert type(strategy).__name__ == cfg.strategy.type
    if overlay == 'deepspeed':
        assert strategy.config['bf16']['enabled'] and strategy.config['zero_optimization']['stage'] == 2


def test_deepspeed_gets_images_of_the_type_of_its_weights(monkeypatch):
    monkeypatch.setenv('CONFIG', str(ROOT / f'configs/{CONFIGS[0]}.py'))
    cast = Config.fromfile(ROOT / 'configs/overlays/deepspeed.py').strategy.inputs_to_half
    engine = deepspeed.MMDeepSpeedEngineWrapper(model=torch.nn.Conv2d(3, 2, 1).bfloat16(), inputs_to_half=cast)
    data = engine._cast_inputs_half(dict(inputs=torch.rand(1, 3, 4, 4), data_samples=['untouched']))
    assert engine.model(data['inputs']).dtype == torch.bfloat16 and data['data_samples'] == ['untouched']
