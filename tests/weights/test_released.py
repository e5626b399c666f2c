"""Checkpoints of released versions, which every later version must load with equal outputs.

`python tests/weights/test_released.py VERSION` adds the files of a new version. mmengine's runner writes them. Their
weights have two values in each tensor, so that a file of 800 kB takes 55 kB here.
"""

import json
import lzma
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner, load_checkpoint

import hrformer_mm  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / 'released'
CHANNELS = (2, 2, 4, 4)
ARCH = dict(num_modules=(1, 1, 1, 1), channels=CHANNELS, num_heads=(1, 1, 2, 2), num_blocks=1)
MODELS_OF = dict(
    segmentation=('ocr_hrformer-s_custom', dict(decode_head=dict(in_channels=CHANNELS, channels=4, key_channels=2))),
    pose=('td-hm_hrformer-t_coco-256x192', dict(head=dict(in_channels=2))),
    classification=(
        'hrformer-t_imagenet',
        dict(
            neck=[
                dict(
                    type='hrformer_mm.ClassificationNeck', in_channels=CHANNELS, channels=(1, 1, 1, 1), out_channels=4
                ),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(in_channels=4),
        ),
    ),
    detection=(
        'fcos_hrformer-s_coco',
        dict(
            neck=dict(in_channels=list(CHANNELS), out_channels=4),
            bbox_head=dict(in_channels=4, feat_channels=4, norm_cfg=None),
        ),
    ),
)


def build(task):
    name, change = MODELS_OF[task]
    cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    cfg.merge_from_dict(dict(model=change))
    cfg.model.backbone.update(arch=ARCH, drop_path_rate=0.0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model).eval()


def outputs(model):
    """Return the shape and three weighted sums of each output of a model."""
    image = torch.sin(torch.arange(3 * 64 * 96) * 0.7).reshape(1, 3, 64, 96)
    with torch.no_grad():
        found = model(image, None)
    flat = []
    pending = [found]
    while pending:
        item = pending.pop(0)
        if isinstance(item, torch.Tensor):
            flat.append(item.double())
        else:
            pending[:0] = list(item)
    return [
        dict(
            shape=list(x.shape),
            sums=[(x.flatten() * torch.cos(torch.arange(x.numel()) * k)).sum().item() for k in (0, 0.3, 1)],
        )
        for x in flat
    ]


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*/*.pth.xz')), ids=lambda p: f'{p.parent.name}-{p.name[:-7]}')
def test_released_checkpoint(path, tmp_path):
    (tmp_path / 'a.pth').write_bytes(lzma.decompress(path.read_bytes()))
    model = build(path.name[:-7])
    checkpoint = load_checkpoint(model, str(tmp_path / 'a.pth'), map_location='cpu', strict=True)
    assert checkpoint['message_hub']['log_scalars']['train/loss'].current() == 0.5
    expected = json.loads(path.with_suffix('').with_suffix('.json').read_text())
    found = outputs(model)
    assert [x['shape'] for x in found] == [x['shape'] for x in expected]
    for a, b in zip(found, expected):
        scale = max(map(abs, b['sums']))
        assert a['sums'] == pytest.approx(b['sums'], abs=1e-5 * scale)


def test_all_tasks_are_covered():
    assert {path.name for path in (FOLDER / '0.1.0').glob('*.xz')} == {f'{task}.pth.xz' for task in MODELS_OF}


def write(version, task):
    torch.manual_seed(0)
    model = build(task)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            positive = 'running_var' in name or tensor.dim() == 1 and name.endswith('weight')  # of a norm
            scale = (tensor.numel() / len(tensor)) ** -0.5 if tensor.dim() > 1 else 0.5
            tensor.copy_(torch.full_like(tensor, scale) if positive else scale * torch.randn_like(tensor).sign())
    folder = FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    runner = Runner(
        model,
        str(folder / 'work'),
        experiment_name=task,
        train_dataloader=dict(batch_size=1, dataset=[0], sampler=dict(type='DefaultSampler')),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
    )
    runner._train_loop = runner.build_train_loop(dict(by_epoch=True, max_epochs=1))
    runner.message_hub.update_scalar('train/loss', 0.5)
    runner.save_checkpoint(str(folder), f'{task}.pth', save_optimizer=False, save_param_scheduler=False)
    path = folder / f'{task}.pth'
    (folder / f'{task}.pth.xz').write_bytes(lzma.compress(path.read_bytes(), preset=9))
    path.unlink()
    shutil.rmtree(folder / 'work')
    (folder / f'{task}.json').write_text(json.dumps(outputs(model), indent=1) + '\n')


if __name__ == '__main__':
    for each in MODELS_OF:
        write(sys.argv[1], each)
