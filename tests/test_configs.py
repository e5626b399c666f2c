"""Every config parses, builds the documented model, and uses the authors' recipe."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from hrformer_mm import to_deploy

CONFIGS = Path(__file__).parents[1] / 'configs'
CLASS = 2 * (512 + 1)  # parameters of an additional class in the two classifiers of OCR
# Exact counts of the authors' code.
POSE = dict(t=2_518_071, s=7_746_779, b=43_211_777)
# mmseg's convolutions before norms have no biases: our OCR has 4 of 512 and 5 of 256 channels.
OCR_BIASES = 4 * 512 + 5 * 256
CITYSCAPES = {'s': 13_523_856, 'b': 56_032_512, 'b-w15': 56_196_480}

# HRFormer-T + OCR, 59 classes, counted. Its FFNs' depth-wise convolutions, for every hidden channel 9 weights, a bias
# and the two of a norm, in 2 blocks of 6, 6, 5 and 2 modules; and in Swin-T's 12 blocks, whose plain FFNs have no norms
# of their own, so that two more norms come in: of the hidden channels and of the output.
OCR_T = 6_310_874
CAMVID_T, LSP_T = 3_273_530, POSE['t'] - 3 * (18 + 1)  # OCR of 128 channels; 14 keypoints, not 17
DWCONV_T = sum(2 * modules * 4 * channels * 12 for modules, channels in zip((6, 6, 5, 2), (18, 36, 72, 144)))
SWIN_T = 28_288_354
DWCONV_SWIN_T = sum(
    blocks * channels * (4 * (12 + 2) + 2) for blocks, channels in zip((2, 2, 6, 2), (96, 192, 384, 768))
)


def tables(*windows):
    """Count the parameters that windows other than 7x7 add to HRFormer-B: rows of bias tables, times heads."""
    return sum(heads * ((2 * window - 1) ** 2 - 13**2) for heads, window in zip((28, 56, 96, 64), windows))


PARAMETERS = {
    'hrformer-t_imagenet': 8_035_820,
    'hrformer-s_imagenet': 13_544_882,
    'hrformer-b_imagenet': 50_320_098,
    **{f'td-hm_hrformer-{v}_coco-{size}': n for v, n in POSE.items() for size in ('256x192', '384x288')},
    **{
        f'td-hm_hrformer-{v}_{kind}-coco-{size}': POSE[v]
        for v in 'sb'
        for kind in ('udp', 'dark')
        for size in ('256x192', '384x288')
    },
    **{f'td-hm_hrformer-{v}_coco-384x288_test-dev': POSE[v] for v in 'sb'},
    'td-hm_hrformer-b_coco-wholebody-256x192': POSE['b'] + (133 - 17) * (78 + 1),
    **{f'ocr_hrformer-{v}_cityscapes': n for v, n in CITYSCAPES.items()},
    'ocr_hrformer-b-w15_cityscapes-trainval': CITYSCAPES['b-w15'],
    'ocr_hrformer-b-w15_cityscapes-segfix': CITYSCAPES['b-w15'],
    **{
        f'ocr_hrformer-{v}_{data}': n + (classes - 19) * CLASS
        for v, n in CITYSCAPES.items()
        for data, classes in (
            ('pascal-context-59', 59),
            ('pascal-context-60', 60),
            ('coco-stuff10k', 171),
            ('ade20k', 150),
        )
    },
    'ocr_hrformer-b-w13_ade20k': CITYSCAPES['b'] + tables(13, 13, 13, 13) + (150 - 19) * CLASS,
    'ocr_hrformer-s_custom': CITYSCAPES['s'] + (2 - 19) * CLASS,
    'ocrnet_hrformer-s_4xb2-80k_cityscapes-512x1024': CITYSCAPES['s'] - OCR_BIASES,
    'ocrnet_hrformer-b_4xb2-80k_cityscapes-512x1024': CITYSCAPES['b'] - OCR_BIASES,
    **{
        f'ablations/ocr_hrformer-b-w{name}_pascal-context-59': CITYSCAPES['b'] + tables(*windows) + (59 - 19) * CLASS
        for name, windows in (
            ('9', (9,) * 4),
            ('11', (11,) * 4),
            ('13', (13,) * 4),
            ('15-13-11-9', (15, 13, 11, 9)),
            ('21-17-13-9', (21, 17, 13, 9)),
            ('17-15-13-11', (17, 15, 13, 11)),
        )
    },
    'ablations/ocr_hrformer-t_pascal-context-59': OCR_T,
    **{
        f'ablations/{name}': n - DWCONV_T
        for kind in ('wo-dwconv', 'shift')
        for name, n in (
            (f'hrformer-t-{kind}_imagenet', 8_035_820),
            (f'ocr_hrformer-t-{kind}_pascal-context-59', OCR_T),
            (f'td-hm_hrformer-t-{kind}_coco-256x192', POSE['t']),
        )
    },
    # Table 11 prints 15.6, 24.5 and 85.3 M, table 8 28.3 and 28.5 M.
    'ablations/hrnet-t_imagenet': 15_593_624,
    'ablations/hrnet-s_imagenet': 24_465_576,
    'ablations/hrnet-b_imagenet': 85_287_512,
    **{f'ablations/{name}-t_imagenet': SWIN_T for name in ('swin', 'intrawin')},
    **{f'ablations/{name}-t-dwconv_imagenet': SWIN_T + DWCONV_SWIN_T for name in ('swin', 'intrawin')},
    # Other heads than HRFormer's, or other backbones: counted with this package, to detect changes.
    'segfix_hrnet-w18_cityscapes': 9_704_084,
    'fcos_hrformer-s_coco': 15_883_204,
    **{f'ablations/ocr_hrnet-{v}_pascal-context-59': n for v, n in zip('tsb', (7_599_206, 18_216_118, 84_771_494))},
    **{f'ablations/td-hm_hrnet-{v}_coco-256x192': n for v, n in zip('tsb', (3_616_675, 11_772_849, 68_175_703))},
    'ablations/td-hm_vit-l_coco-256x192': 308_543_761,
    'ablations/td-hm_deit-b_coco-256x192': 89_993_745,
    'ablations/td-hm_swin-b_coco-256x192': 93_040_585,
    # Trained from scratch on real data (benchmarks/real_data.py): counted with this package, to detect changes.
    'camvid/ocr_hrformer-t_camvid-180x240': CAMVID_T,
    'camvid/ocr_mmpose-hrformer-t_camvid-180x240': CAMVID_T,
    'lsp/td-hm_mmpose-hrformer-t_lsp-128x96': LSP_T,
    **{f'lsp/td-hm_hrformer-t_{codec}lsp-128x96': LSP_T for codec in ('', 'udp-', 'dark-')},
    **{
        name: n - DWCONV_T
        for kind in ('wo-dwconv', 'shift')
        for name, n in (
            (f'camvid/ocr_hrformer-t-{kind}_camvid-180x240', CAMVID_T),
            (f'lsp/td-hm_hrformer-t-{kind}_lsp-128x96', LSP_T),
        )
    },
    'camvid/ocr_hrnet-t_camvid-180x240': 4_561_862,
    'camvid/fcn_hrformer-t_camvid-180x240': 2_648_809,
    'lsp/td-hm_hrnet-t_lsp-128x96': 3_616_675 - 3 * (18 + 1),
}


def load(name, **options):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.merge_from_dict(options)
    return cfg


def build(cfg):
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def test_all_configs_are_listed_here():
    found = {
        str(path.relative_to(CONFIGS).with_suffix(''))
        for folder in ('.', 'ablations', 'camvid', 'lsp')
        for path in (CONFIGS / folder).glob('*.py')
    }
    assert found == set(PARAMETERS)


@pytest.mark.parametrize('name', PARAMETERS)
def test_start_of_training(name):
    """All have the safeguard. S and B start from ImageNet weights; T, classification and detection do not."""
    cfg = load(name)
    assert cfg.default_hooks.safeguard.type == 'hrformer_mm.Safeguard'
    init_cfg = cfg.model.backbone.get('init_cfg')
    variant = re.search('(?:ocr|ocrnet|td-hm)_hrformer-([sb])(?!_custom)', name)
    if variant:
        assert init_cfg == dict(type='Pretrained', checkpoint=f'hrformer_mm://hrformer-{variant[1]}_imagenet-backbone')
    elif 'td-hm_hrformer-t' in name:
        assert init_cfg == dict(type='Normal', std=0.001, layer='Conv2d')
    else:
        assert init_cfg is None


@pytest.mark.parametrize('name', PARAMETERS)
def test_parameters(name):
    # The meta device needs no memory and no time, but Swin and mmpose's HRFormer read values of tensors.
    asks = any(word in name for word in ('swin', 'intrawin', 'mmpose-hrformer'))
    with torch.device('cpu' if asks else 'meta'):
        model = build(load(name))
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert f'{PARAMETERS[name]:,} parameters' in (CONFIGS / f'{name}.py').read_text()


@pytest.mark.parametrize('name', [path.stem for path in (CONFIGS / 'demo').glob('*.py')])
def test_demonstration(name):
    """`scripts/demo.py` names the checkpoints that these configs write last."""
    cfg = load(f'demo/{name}')
    build(cfg)
    length = cfg.train_cfg
    unit, length = ('iter', length.max_iters) if 'max_iters' in length else ('epoch', length.max_epochs)
    assert f'{unit}_{length}.pth' in (CONFIGS.parent / 'scripts/demo.py').read_text()


@pytest.mark.parametrize(
    'name', ['td-hm_hrformer-t_coco-256x192', 'ocr_hrformer-b_cityscapes', 'ablations/ocr_hrformer-t_pascal-context-59']
)
def test_other_weights_on_the_command_line(name):
    """The options in the docstrings work for each config, whatever weights it starts from."""
    cfg = load(
        name,
        **{
            'model.backbone.init_cfg._delete_': True,
            'model.backbone.init_cfg.type': 'Pretrained',
            'model.backbone.init_cfg.checkpoint': 'a.pth',
        },
    )
    assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint='a.pth')
    with torch.device('meta'):
        build(cfg)
        build(load(name, **{'model.backbone.init_cfg': None}))


def test_the_port_deploys():
    """mmseg's cascade of heads computes the same in the deployment form, without batch norms."""
    cfg = load('ocrnet_hrformer-s_4xb2-80k_cityscapes-512x1024')
    assert cfg.train_dataloader.batch_size * 4 == 8 and [head.type for head in cfg.model.decode_head] == [
        'FCNHead',
        'OCRHead',
    ]
    model = build(cfg).eval()
    image, info = torch.randn(1, 3, 64, 96), [dict(img_shape=(64, 96))]
    deployed = to_deploy(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in deployed.modules())
    with torch.no_grad():
        expected = model.encode_decode(image, info)
        torch.testing.assert_close(deployed.encode_decode(image, info), expected, rtol=1e-4, atol=1e-5)


def test_mixed_windows():
    cfg = load('ocr_hrformer-b_cityscapes', **{'model.backbone.window_sizes': (15, 13, 11, 9)})
    assert sum(p.numel() for p in build(cfg).parameters()) == 56_110_656


def test_imagenet_recipe():
    cfg = load('hrformer-t_imagenet')
    assert cfg.train_dataloader.batch_size * 8 == 1024 and cfg.train_cfg.max_epochs == 300
    assert cfg.model.train_cfg.augments == [dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
    assert cfg.model.head.loss.label_smooth_val == 0.1
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps['RandAugment'].magnitude_level == 9 and steps['RandomErasing'].erase_prob == 0.25
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.end, warm_up.start_factor, cosine.begin, cosine.eta_min) == (20, 1e-3, 20, 1e-5)


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


@pytest.mark.parametrize(
    'name, size, sigma, batch',
    [
        ('td-hm_hrformer-t_coco-256x192', (192, 256), 2, 32),
        ('td-hm_hrformer-s_coco-384x288', (288, 384), 3, 32),
        ('td-hm_hrformer-b_coco-256x192', (192, 256), 2, 16),
        ('td-hm_hrformer-b_coco-384x288', (288, 384), 3, 16),
    ],
)
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


@pytest.mark.parametrize(
    'name, classes, iters, batch, drop_path, kept',
    [
        ('ocr_hrformer-s_pascal-context-59', 59, 60000, 16, 0.2, None),
        ('ocr_hrformer-b_pascal-context-60', 60, 60000, 16, 0.2, None),
        ('ocr_hrformer-b-w15_pascal-context-59', 59, 60000, 16, 0.3, None),
        ('ocr_hrformer-s_coco-stuff10k', 171, 60000, 16, 0.2, 100000),
        ('ocr_hrformer-b-w15_coco-stuff10k', 171, 60000, 16, 0.2, 100000),
        ('ocr_hrformer-b-w13_ade20k', 150, 150000, 8, 0.2, 100000),
    ],
)
def test_recipe_at_520(name, classes, iters, batch, drop_path, kept):
    cfg = load(name)
    assert cfg.train_cfg.max_iters == iters == cfg.param_scheduler[1].end
    assert cfg.train_dataloader.batch_size * 8 == batch == cfg.auto_scale_lr.base_batch_size
    assert cfg.model.backbone.drop_path_rate == drop_path and cfg.model.decode_head.num_classes == classes
    sampler = cfg.model.decode_head.get('sampler')
    if kept is None:
        assert sampler is None
    else:  # mmseg multiplies min_kept by the batch size
        assert sampler.thresh == 0.9 and sampler.min_kept * cfg.train_dataloader.batch_size == kept
    assert 'class_weight' not in cfg.model.decode_head.loss_decode
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps['RandomCrop'].crop_size == (520, 520) == cfg.model.data_preprocessor.size
    assert steps['RandomResize'].ratio_range == (0.5, 2.0) and min(steps['RandomResize'].scale) == 520
    assert min(cfg.test_dataloader.dataset.pipeline[1].scale) == 520
    scales, flips = cfg.tta_pipeline[1].transforms[:2]
    assert [min(step.scale) / 520 for step in scales] == [0.75, 1, 1.25] and [step.prob for step in flips] == [0, 1]


@pytest.mark.parametrize(
    'kind, codec',
    [
        ('udp', dict(type='UDPHeatmap', input_size=(288, 384), heatmap_size=(72, 96), sigma=3)),
        (
            'dark',
            dict(
                type='MSRAHeatmap',
                input_size=(288, 384),
                heatmap_size=(72, 96),
                sigma=3,
                unbiased=True,
                blur_kernel_size=17,
            ),
        ),
    ],
)
def test_coordinates(kind, codec):
    cfg = load(f'td-hm_hrformer-b_{kind}-coco-384x288')
    assert cfg.model.head.decoder == codec and cfg.model.test_cfg.shift_heatmap == (kind != 'udp')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        assert steps['TopdownAffine'].get('use_udp', False) == (kind == 'udp')
        assert 'GenerateTarget' not in steps or steps['GenerateTarget'].encoder == codec


@pytest.mark.parametrize(
    'name, arguments',
    [
        ('hrformer-t-wo-dwconv_imagenet', dict(with_dwconv=False)),
        ('ocr_hrformer-t-shift_pascal-context-59', dict(with_dwconv=False, shift_windows=True)),
        ('td-hm_hrformer-t-shift_coco-256x192', dict(with_dwconv=False, shift_windows=True)),
    ],
)
def test_ablations_differ_only_in_their_argument(name, arguments):
    """Tables 7 and 9: everything else equals the model of the comparison."""
    cfg = load(f'ablations/{name}')
    ordinary = name.replace('-wo-dwconv', '').replace('-shift', '')
    folder = 'ablations/' if 'pascal' in name else ''
    expected = load(folder + ordinary)
    expected.model.backbone.update(arguments)
    assert cfg.to_dict() == expected.to_dict()


def test_shift_of_swin():
    """Table 8: every other block of Swin shifts its windows; no block of IntraWin does."""
    for name in ('swin', 'intrawin'):
        for kind in ('', '-dwconv'):
            model = build(load(f'ablations/{name}-t{kind}_imagenet')).backbone
            shifts = [block.attn.shift_size for stage in model.stages for block in stage.blocks]
            assert shifts == ([0, 3] * 6 if name == 'swin' else [0] * 12)
