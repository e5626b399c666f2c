"""Train HRFormer-T + OCR on a folder of images and masks, and print the mIoU.

    python examples/train.py FOLDER CLASSES [ITERATIONS]

FOLDER contains images/train, images/val, labels/train and labels/val; masks hold 0 to CLASSES - 1, or 255 to ignore a
pixel. Without arguments, generated data with two classes is used. The checkpoint goes to work_dirs/train.
"""

import sys
import tempfile

from mmengine.config import Config
from mmengine.runner import Runner

from hrformer_mm import config_path
from hrformer_mm.data import synthesize


def make_config(folder: str, classes: int, iters: int) -> Config:
    cfg = Config.fromfile(config_path('ocr_hrformer-s_custom'))
    cfg.load_from = None  # released weights, which this example does without
    cfg.model.data_preprocessor.size = (128, 128)
    cfg.model.backbone.update(arch='tiny', drop_path_rate=0.0)
    cfg.model.decode_head.update(in_channels=[18, 36, 72, 144], channels=128, key_channels=64, num_classes=classes)
    train, val = cfg.train_dataloader, cfg.val_dataloader
    names = dict(classes=[str(i) for i in range(classes)], palette=[[40 * i % 256, 220, 60] for i in range(classes)])
    for loader in (train, val):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=folder, metainfo=names)
    train.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='RandomResize', scale=(256, 192), ratio_range=(0.75, 1.5), keep_ratio=True),
        dict(type='RandomCrop', crop_size=(128, 128)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackSegInputs'),
    ]
    cfg.test_dataloader = val
    cfg.optim_wrapper.optimizer.lr = 1e-3
    cfg.param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=iters, by_epoch=False)]
    cfg.train_cfg.update(max_iters=iters, val_interval=iters)
    cfg.default_hooks.checkpoint.interval = iters
    cfg.work_dir = 'work_dirs/train'
    return cfg


def main(folder: str = '', classes: str = '2', iters: str = '20') -> None:
    with tempfile.TemporaryDirectory() as generated:
        if not folder:
            folder = str(synthesize(generated, ['custom'], train=8, val=2)[0])
        Runner.from_cfg(make_config(folder, int(classes), int(iters))).train()


if __name__ == '__main__':
    main(*sys.argv[1:])
