"""Short training of a micro HRFormer or a linear layer on random images, for tests and for `mim train mmseg`."""

import random

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

from hrformer_mm.models import HRFormer

ARCH = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)


@DATASETS.register_module()
class RandomPictures(Dataset):
    metainfo = dict(classes=('a', 'b'))
    read = []  # which pictures, in this process

    def __len__(self):
        return 16

    def __getitem__(self, i):
        """Return an image that depends on all three random generators, as augmentations do."""
        self.read.append(i)
        picture = torch.full((3, 32, 32), 0.1 * i) + torch.rand(3, 32, 32) * random.random() + np.random.rand()
        info = dict(img_path=f'picture_{i}.png', label=i % 2)
        return dict(inputs=picture, data_samples=BaseDataElement(metainfo=info))


@MODELS.register_module()
class SmallModel(BaseModel):
    """`broken_at`: the call whose term `loss_b` is NaN; `broken_gradient`: the one whose gradient alone is."""

    def __init__(
        self, deep=False, extra=0, width=2, broken_at=None, value='nan', broken_gradient=None, data_preprocessor=None
    ):
        super().__init__(data_preprocessor)
        self.backbone = HRFormer(arch=ARCH, drop_path_rate=0.3, window_sizes=7) if deep else nn.Identity()
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(18 if deep else 3, width)
        if extra:
            self.ballast = nn.Parameter(torch.zeros(extra))
        self.deep, self.calls, self.broken_at, self.value = deep, 0, broken_at, float(value)
        self.broken_gradient = broken_gradient

    def forward(self, inputs, data_samples=None, mode='tensor'):
        x = torch.stack(list(inputs)).float()
        x = self.backbone(x)[0] if self.deep else x
        logits = self.head(self.dropout(x.mean((2, 3))))
        if mode == 'predict':
            torch.rand(1)  # a validation may use random numbers
            return [BaseDataElement(score=float(s)) for s in logits.sum(1)]
        self.calls += 1
        loss = nn.functional.cross_entropy(logits, torch.tensor([s.label for s in data_samples]))
        if self.calls == self.broken_gradient:
            loss = loss + _NaNGradient.apply(self.head.weight)
        b = loss.detach() * 0 + (self.value if self.calls == self.broken_at else 0.0)
        return dict(loss_a=loss, loss_b=b)


class _NaNGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return x.new_zeros(())

    @staticmethod
    def backward(ctx, grad):
        return torch.full(ctx.shape, float('nan'))


@METRICS.register_module()
class Rising(BaseMetric):
    """Metric that improves at every validation, so that each of them saves a best checkpoint."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        from mmengine.logging import MessageHub

        return dict(score=float(MessageHub.get_current_instance().get_info('iter') or 0))


def config(work_dir, length=4, by_epoch=False, workers=0, save=None, model=None, validate=False, **others):
    """The configuration; `save` changes the CheckpointHook, `others` any top-level key."""
    data = dict(
        batch_size=4,
        num_workers=workers,
        persistent_workers=workers > 0,
        dataset=dict(type='RandomPictures'),
        sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True),
    )
    cfg = dict(
        custom_imports=dict(imports=['hrformer_mm', 'small_training'], allow_failed_imports=False),
        default_scope='mmengine',
        work_dir=str(work_dir),
        model={'type': 'SmallModel', **(model or {})},
        train_dataloader=data,
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2)),
        param_scheduler=[dict(type='PolyLR', power=0.9, end=100, by_epoch=by_epoch)],
        train_cfg=dict(by_epoch=by_epoch, val_interval=1, **{'max_epochs' if by_epoch else 'max_iters': length}),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=by_epoch, **(save or {})),
        ),
        custom_hooks=[dict(type='hrformer_mm.Safeguard')],
        env_cfg=dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)),
        log_processor=dict(by_epoch=by_epoch, window_size=1),
    )
    val = dict(data, sampler=dict(type='DefaultSampler', shuffle=False), num_workers=0, persistent_workers=False)
    if validate:
        cfg.update(val_dataloader=val, val_cfg=dict(type='ValLoop'), val_evaluator=dict(type='Rising'))
    cfg.update(test_dataloader=val, test_cfg=dict(type='TestLoop'), test_evaluator=dict(type='Rising'))
    cfg.update(others)
    return Config(cfg, format_python_code=False)  # a runner formats it five times, which takes seconds


_runs = 0


def runner(*args, **kwargs):
    """Build a runner with a unique name, by which mmengine finds loggers and message hubs."""
    global _runs
    _runs += 1
    return Runner.from_cfg(config(*args, experiment_name=f'run{_runs}', **kwargs))
