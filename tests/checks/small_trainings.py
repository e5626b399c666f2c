"""Short trainings of a micro HRFormer on synthetic data, with the data sets, pipelines and losses of each library."""

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from hrformer_mm.checks import check_start

CONFIGS = Path(__file__).parents[2] / 'configs'
SOURCES = dict(custom='ocr_hrformer-s_custom', coco='demo/td-hm_hrformer-t_synthetic', imagenet='hrformer-t_imagenet')
ARCH = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
NECK = [dict(type='hrformer_mm.ClassificationNeck', in_channels=(18, 36, 64, 78)), dict(type='GlobalAveragePooling')]
# Images and label maps are resized to the same size, as users do, which hides that their sizes differ.
SEG_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='PackSegInputs'),
]
_runs = 0


def read_config(layout):
    cfg = Config.fromfile(CONFIGS / f'{SOURCES[layout]}.py')
    if layout == 'custom':
        cfg.load_from = None
        cfg.model.decode_head.update(in_channels=[18, 36, 64, 78], channels=32, key_channels=16)
        cfg.model.data_preprocessor.size = (64, 64)
        cfg.train_dataloader.dataset.pipeline = SEG_PIPELINE
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=100)
    else:
        cfg.train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=100)
    if layout == 'coco':
        cfg.model.head.in_channels = 18
    if layout == 'imagenet':
        cfg.model.neck, cfg.model.train_cfg = NECK, None
        cfg.train_dataloader.dataset.pipeline[1].scale = 64
    cfg.model.backbone.update(arch=ARCH, drop_path_rate=0.0)
    cfg.param_scheduler = None
    cfg.default_hooks.pop('visualization', None)
    for key in [key for key in cfg if key.startswith(('val_', 'test_'))]:
        cfg[key] = None
    return cfg


def train(cfg, layout, data, work_dir, **kwargs):
    """Train for two iterations or one epoch; returns the runner."""
    global _runs
    _runs += 1
    cfg = _prepare(cfg, layout, data, **kwargs)
    cfg.update(work_dir=str(work_dir), experiment_name=f'bad_data_{_runs}')
    try:
        runner = Runner.from_cfg(cfg)
        runner.train()
    finally:
        DefaultScope._instance_dict.clear()  # the next training may use another library
    return runner


def load(cfg, layout, data, epochs=1, **kwargs):
    """Build the training data loader, check its data set, and iterate over it; returns the data set."""
    cfg = _prepare(cfg, layout, data, **kwargs)
    if cfg.train_dataloader.sampler.type == 'InfiniteSampler':
        cfg.train_dataloader.sampler.type = 'DefaultSampler'
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    check_start(loader.dataset)
    for _ in range(epochs):
        assert sum(len(batch['inputs']) for batch in loader) == len(loader.dataset)
    return loader.dataset


def _prepare(cfg, layout, data, workers=0, batch=8):
    cfg = Config(cfg.to_dict(), format_python_code=False)  # a runner formats it five times, which takes seconds
    cfg.train_dataloader.update(batch_size=batch, num_workers=workers, persistent_workers=workers > 0)
    cfg.train_dataloader.dataset.data_root = f'{data / layout}/'
    return cfg
