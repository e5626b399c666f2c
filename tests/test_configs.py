"""Every config parses, builds the model that it says, and trains it by the authors' recipe."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import hrformer_mm  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'
# To the digit, as the authors' code counts them.
PARAMETERS = {
    'hrformer-t_imagenet': 8_035_820,
    'hrformer-s_imagenet': 13_544_882,
    'hrformer-b_imagenet': 50_320_098,
    'td-hm_hrformer-t_coco-256x192': 2_518_071,
    'td-hm_hrformer-t_coco-384x288': 2_518_071,
    'td-hm_hrformer-s_coco-256x192': 7_746_779,
    'td-hm_hrformer-s_coco-384x288': 7_746_779,
    'td-hm_hrformer-b_coco-256x192': 43_211_777,
    'td-hm_hrformer-b_coco-384x288': 43_211_777,
    'ocr_hrformer-s_cityscapes': 13_523_856,
    'ocr_hrformer-b_cityscapes': 56_032_512,
    'ocr_hrformer-b-w15_cityscapes': 56_196_480,
}


def load(name, **options):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.merge_from_dict(options)
    return cfg


def build(cfg):
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def optimizer(cfg, model):
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return build_optim_wrapper(model, cfg.optim_wrapper).optimizer


def test_all_configs_are_listed_here():
    assert {path.stem for path in CONFIGS.glob('*.py')} == set(PARAMETERS)


@pytest.mark.parametrize('name', PARAMETERS)
def test_parameters(name):
    model = build(load(name))
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert f'{PARAMETERS[name]:,} parameters' in (CONFIGS / f'{name}.py').read_text()


@pytest.mark.parametrize('name', [path.stem for path in (CONFIGS / 'demo').glob('*.py')])
def test_demonstration(name):
    """`tasks.py` names the checkpoints that these write last."""
    cfg = load(f'demo/{name}')
    build(cfg)
    unit, length = ('iter', cfg.train_cfg.max_iters) if 'max_iters' in cfg.train_cfg else ('epoch', cfg.train_cfg.max_epochs)
    assert f'{unit}_{length}.pth' in (CONFIGS.parent / 'tasks.py').read_text()


def test_mixed_windows():
    cfg = load('ocr_hrformer-b_cityscapes', **{'model.backbone.window_sizes': (15, 13, 11, 9)})
    assert sum(p.numel() for p in build(cfg).parameters()) == 56_110_656


def decay_of(cfg, model):
    """Weight decay of every parameter by its name."""
    groups = optimizer(cfg, model).param_groups
    decay = {id(p): group['weight_decay'] for group in groups for p in group['params']}
    return {name: decay[id(p)] for name, p in model.named_parameters()}


def norm_parameters(model):
    norms = (nn.LayerNorm, nn.modules.batchnorm._BatchNorm)
    return {f'{name}.{leaf}' for name, m in model.named_modules() if isinstance(m, norms)
            for leaf in ('weight', 'bias')}


def test_segmentation_decays_neither_norms_nor_tables():
    cfg = load('ocr_hrformer-s_cityscapes')
    model = build(cfg)
    norms = norm_parameters(model)
    for name, decay in decay_of(cfg, model).items():
        assert decay == (0 if name in norms or name.endswith('bias_table') else 0.01), name
    assert optimizer(cfg, model).defaults['lr'] == 1e-4 and type(optimizer(cfg, model)).__name__ == 'AdamW'


def test_pose_decays_all_but_tables():
    cfg = load('td-hm_hrformer-t_coco-256x192')
    model = build(cfg)
    for name, decay in decay_of(cfg, model).items():
        assert decay == (0 if name.endswith('bias_table') else 0.01), name
    assert optimizer(cfg, model).defaults['lr'] == 5e-4


def test_imagenet_decays_as_swin_does():
    cfg = load('hrformer-t_imagenet')
    model = build(cfg)
    decay = decay_of(cfg, model)
    for name, parameter in model.named_parameters():
        assert decay[name] == (0 if parameter.dim() == 1 or name.endswith('bias_table') else 0.05), name
    assert cfg.train_dataloader.batch_size * 8 == 1024 and cfg.train_cfg.max_epochs == 300


def test_cityscapes_recipe():
    cfg = load('ocr_hrformer-b_cityscapes')
    assert cfg.train_cfg.max_iters == 80000 and cfg.train_dataloader.batch_size * 8 == 8
    assert cfg.model.backbone.drop_path_rate == 0.4
    warm_up, poly = cfg.param_scheduler
    assert (warm_up.end, warm_up.start_factor, poly.begin, poly.end) == (1500, 1e-6, 1500, 80000)
    head = cfg.model.decode_head
    assert head.sampler == dict(type='OHEMPixelSampler', thresh=0.9, min_kept=100000)
    for loss, weight in ((head.loss_decode, 1), (head.loss_auxiliary, 0.4)):
        assert loss.loss_weight == weight and len(loss.class_weight) == 19
    crop = [t for t in cfg.train_dataloader.dataset.pipeline if t.type == 'RandomCrop'][0]
    assert crop.crop_size == (512, 1024) == cfg.model.data_preprocessor.size


@pytest.mark.parametrize('name, size, sigma, batch', [
    ('td-hm_hrformer-t_coco-256x192', (192, 256), 2, 32), ('td-hm_hrformer-s_coco-384x288', (288, 384), 3, 32),
    ('td-hm_hrformer-b_coco-256x192', (192, 256), 2, 16), ('td-hm_hrformer-b_coco-384x288', (288, 384), 3, 16)])
def test_coco_recipe(name, size, sigma, batch):
    cfg = load(name)
    codec = dict(type='MSRAHeatmap', input_size=size, heatmap_size=tuple(s // 4 for s in size), sigma=sigma)
    assert cfg.model.head.decoder == codec and cfg.train_dataloader.batch_size == batch
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        steps = {t.type: t for t in loader.dataset.pipeline}
        assert steps['TopdownAffine'].input_size == size
        assert 'GenerateTarget' not in steps or steps['GenerateTarget'].encoder == codec
    assert cfg.train_cfg.max_epochs == 210 and cfg.param_scheduler[1].milestones == [170, 200]
    assert cfg.model.backbone.fuse_upsample == 'bilinear' and cfg.model.test_cfg.shift_heatmap
    assert cfg.val_dataloader.dataset.bbox_file.endswith('COCO_val2017_detections_AP_H_56_person.json')
