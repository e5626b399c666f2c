"""Every way to load weights accepts every layout, and rejects weights that do not fit."""

import copy

import pytest
import torch
from authors import HEADS, authors_names
from mmengine.config import ConfigDict
from mmengine.model import PretrainedInit
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import load_state_dict as mmengine_load
from torch import nn

from hrformer_mm.models import ClassificationNeck, HRFormer
from hrformer_mm.ops import relative_position_index, resize_bias_table
from hrformer_mm.weights import adapt_state_dict, load_weights

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4), num_blocks=1, mlp_ratio=2)
BACKBONE = dict(type='hrformer_mm.HRFormer', arch=MICRO)
MODEL = dict(
    segmentation=(
        'mmseg',
        dict(
            type='hrformer_mm.EncoderDecoder',
            backbone=BACKBONE,
            decode_head=dict(
                type='hrformer_mm.OCRHead', in_channels=[6, 12, 18, 24], num_classes=3, channels=8, key_channels=4
            ),
        ),
    ),
    pose=(
        'mmpose',
        dict(
            type='TopdownPoseEstimator',
            backbone=dict(BACKBONE, fuse_upsample='bilinear'),
            head=dict(type='hrformer_mm.TopdownHeatmapHead', in_channels=6, out_channels=5),
        ),
    ),
    classification=(
        'mmpretrain',
        dict(
            type='ImageClassifier',
            backbone=BACKBONE,
            neck=[
                dict(
                    type='hrformer_mm.ClassificationNeck',
                    in_channels=[6, 12, 18, 24],
                    channels=(2, 2, 2, 2),
                    out_channels=16,
                ),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
        ),
    ),
)


def build(task):
    scope, cfg = MODEL[task]
    pytest.importorskip(scope)
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(copy.deepcopy(cfg)).eval()


def authors_file(task, state):
    """Return the weights of a whole model in the authors' layout; classification has no prefix `backbone.`."""
    theirs = authors_names({k: v for k, v in state.items() if k.startswith('backbone.')})
    if task == 'classification':
        theirs = {name.removeprefix('backbone.'): value for name, value in theirs.items()}
    heads = {
        **HEADS[task],
        **(
            {
                f'neck.0.{a}.{i}.': f'{b}.{i}.{c}'
                for a, b, c in (
                    ('increase', 'incre_modules', '0.'),
                    ('downsample', 'downsamp_modules', ''),
                    ('final', 'final_layer', ''),
                )
                for i in range(4)
            }
            if task == 'classification'
            else {}
        ),
    }
    for name, value in state.items():
        for ours, their in heads.items():
            if name.startswith(ours):
                theirs[name.replace(ours, their)] = value
    return theirs


def randomized(model):
    return {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in model.state_dict().items()}


def assert_loaded(model, expected):
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize('task', MODEL)
def test_whole_models(task):
    model = build(task)
    state = randomized(model)
    theirs = authors_file(task, state)
    before = dict(theirs)
    expected = {k: torch.zeros_like(v) if task == 'pose' and k.endswith('bias_table') else v for k, v in state.items()}
    for load in (
        lambda m: m.load_state_dict(theirs),
        lambda m: mmengine_load(m, theirs, strict=True),
        lambda m: load_weights(m, theirs, 'a.pth'),
        lambda m: nn.DataParallel(m).load_state_dict({f'module.{name}': value for name, value in theirs.items()}),
    ):
        model = copy.deepcopy(build(task))  # with hooks of its own
        load(model)
        assert_loaded(model, expected)
        assert theirs.keys() == before.keys() and all(theirs[name] is value for name, value in before.items())
    model.load_state_dict(state)  # ours, with tables
    assert_loaded(model, state)
    for name, part in model.named_children():  # a part uses its own weights of a whole file
        if name in ('backbone', 'decode_head') or (name, task) == ('head', 'pose'):
            part.load_state_dict(theirs)
    if task == 'classification':
        model.neck[0].load_state_dict(theirs)
    assert_loaded(model, expected)
    with pytest.raises(RuntimeError, match='Missing key'):
        model.load_state_dict({k: v for k, v in theirs.items() if 'stage2.0.branches.0' not in k})
    with pytest.raises(RuntimeError, match='Unexpected key.*more'):
        model.load_state_dict({**theirs, 'more': torch.zeros(1)})
    assert 'backbone.conv1.weight' in model.load_state_dict({}, strict=False).missing_keys


def backbone(prefix='', **kwargs):
    return {prefix + k: v for k, v in randomized(HRFormer(**{'arch': MICRO, **kwargs})).items()}


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr('hrformer_mm.weights.door.print_log', lambda message, **_: lines.append(message))
    return lines


@pytest.mark.parametrize('windows', [9, (9, (7, 5), 3, 7), 15])
@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_other_windows_resize_the_tables(windows, prefix, log):
    source, target = backbone(), HRFormer(MICRO, windows)
    target.load_state_dict({prefix + k: v for k, v in source.items()})
    for name, module in target.named_modules():
        if name.endswith('attn.attn'):
            table = resize_bias_table(source[f'{name}.relative_position_bias_table'], (7, 7), module.window_size)
            if module.window_size == (7, 7):
                table = source[f'{name}.relative_position_bias_table']
            assert torch.equal(module.relative_position_bias_table, table), name
            assert torch.equal(module.relative_position_index, relative_position_index(module.window_size))
    assert torch.equal(source['conv1.weight'], target.conv1.weight)
    if windows == 15:
        assert log == ['Resized 9 tables of relative position bias from windows of 7x7 to 15x15.']
        target.load_state_dict(target.state_dict())
        assert len(log) == 1


def test_parts_that_the_model_lacks_are_dropped(log):
    source, target = HRFormer(MICRO).eval(), HRFormer(MICRO, out_indices=(0,), with_rpe=False).eval()
    target.load_state_dict(source.state_dict())
    assert [line.split()[3:] for line in log] == [
        'weights of branches that out_indices leaves out.'.split(),
        'tables and indices of relative position bias, since with_rpe is False.'.split(),
    ]
    for table in [p for name, p in source.named_parameters() if name.endswith('bias_table')]:
        table.data.zero_()
    x = torch.randn(1, 3, 32, 32)
    assert torch.allclose(target(x)[0], source(x)[0], atol=1e-6)
    with pytest.raises(RuntimeError, match='Missing key.*stage4.0.fuse_layers.1'):
        HRFormer(MICRO).load_state_dict(backbone(out_indices=(0,)))


@pytest.mark.parametrize('kind', ['Pretrained', 'mmengine.Pretrained', PretrainedInit])
@pytest.mark.parametrize('as_list', [False, True])
def test_init_cfg(tmp_path, kind, as_list):
    state = backbone('module.backbone.')
    torch.save(dict(model={**state, 'module.bbox_head.weight': torch.zeros(1)}), tmp_path / 'a.pth')
    init_cfg = dict(type=kind, checkpoint=str(tmp_path / 'a.pth'))
    if as_list:
        init_cfg = [init_cfg, dict(type='Constant', val=0, layer='Conv2d')]
    model = HRFormer(MICRO, init_cfg=init_cfg)
    model.init_weights()
    assert_loaded(model, {k.removeprefix('module.backbone.'): v for k, v in state.items()})
    del state['module.backbone.conv2.weight']
    state['module.backbone.conv1.weight'] = torch.zeros(1, 2)
    torch.save(state, tmp_path / 'a.pth')
    with pytest.raises(
        ValueError,
        match=r'a.pth was not loaded, \d+ of the .*1 missing: conv2.weight. Keys 1 of '
        r'another shape: conv1.weight is \(1, 2\), not \(64, 3, 3, 3\)',
    ):
        HRFormer(MICRO, init_cfg=init_cfg).init_weights()


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda s: s.pop('conv2.weight'), 'Keys 1 missing: conv2.weight'),
        (lambda s: s.update({'fc.bias': torch.zeros(1)}), 'Keys 1 unknown: fc.bias'),
        (lambda s: [s.pop(k) for k in list(s) if 'stage3.0' in k], r'missing: stage3.0.branches.*; …'),
        (
            lambda s: s.update({k: torch.zeros(15, 1) for k in s if k.endswith('bias_table')}),
            ': a bias table has 15 rows',
        ),
    ],
)
def test_error_lists_weights_that_do_not_fit(change, message):
    state = backbone()
    change(state)
    with pytest.raises(ValueError, match=f'a.pth was not loaded.*{message}'):
        load_weights(HRFormer(MICRO), state, 'a.pth', 'backbone.')


def test_weights_of_another_task_or_number_of_classes():
    model = nn.ModuleDict(dict(backbone=HRFormer(MICRO), head=nn.ModuleDict(dict(fc=nn.Linear(4, 3)))))
    for extra, message in (
        ({}, 'another task: it has a backbone alone, but the model has head'),
        ({'decode_head.conv_seg.bias': torch.zeros(3)}, 'another task: it has decode_head'),
        ({'classifier.bias': torch.zeros(5)}, r'has 5 classes, but the config has 3 \(model.head'),
    ):
        with pytest.raises(ValueError, match=message):
            load_weights(model, {**backbone(), **extra}, 'a.pth')


def test_weights_of_other_models_are_not_renamed():
    """Names of other models that our layouts use for other weights are unchanged."""
    model = nn.ModuleDict(dict(backbone=HRFormer(MICRO), final_layer=nn.Linear(1, 1), conv1=nn.Linear(1, 1)))
    state = randomized(model)
    assert adapt_state_dict(model, state).keys() == state.keys()
    model.load_state_dict(state)
    assert_loaded(model, state)
    neck = ClassificationNeck(MICRO['channels'])
    neck.load_state_dict(neck.state_dict())


def initialize(task, checkpoint, model_type=None, **init):
    """Initialize a whole model from a checkpoint with its own init_cfg."""
    scope, cfg = MODEL[task]
    pytest.importorskip(scope)
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint), **init)
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(dict(copy.deepcopy(cfg), type=model_type or cfg['type'], init_cfg=init_cfg))
        model.init_weights()
    return model


@pytest.mark.parametrize('task, model_type', [(task, None) for task in MODEL] + [('segmentation', 'EncoderDecoder')])
def test_init_cfg_of_a_whole_model(tmp_path, task, model_type):
    """It loads a file of a whole model with any names, and raises an error if the backbone gets no weights."""
    model = build(task)
    expected = randomized(model)
    whole, bare, authors = (tmp_path / name for name in ('whole.pth', 'bare.pth', 'authors.pth'))
    torch.save(dict(state_dict=expected), whole)
    assert_loaded(initialize(task, whole, model_type), expected)
    torch.save({f'ema.{name}': value for name, value in expected.items()}, bare)
    assert_loaded(initialize(task, bare, model_type, prefix='ema.'), expected)
    with pytest.raises(ValueError, match="init_cfg of type 'Pretrained' does not fit backbone.*missing"):
        initialize(task, bare, model_type)
    torch.save(authors_file(task, expected), authors)
    if model_type is None and task != 'pose':  # whose tables become zero
        assert_loaded(initialize(task, authors), expected)
    with pytest.raises(ValueError, match='does not fit backbone.*backbone.conv1.weight'):
        torch.save({**expected, 'backbone.conv1.weight': torch.zeros(1)}, bare)
        initialize(task, bare, model_type)


def test_another_number_of_classes_in_a_whole_init_cfg(tmp_path):
    expected = randomized(build('segmentation'))
    expected['decode_head.conv_seg.bias'] = torch.zeros(7)
    torch.save(expected, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'decode_head.conv_seg.bias is \(7,\), not \(3,\).*load_from'):
        initialize('segmentation', tmp_path / 'a.pth')


@pytest.mark.parametrize('kind', ['Pretrained', 'mmengine.Pretrained', PretrainedInit])
@pytest.mark.parametrize('prefix', [None, 'student', 'student.backbone.'])
def test_init_cfg_of_the_backbone_and_its_prefix(tmp_path, kind, prefix):
    expected = randomized(HRFormer(arch=MICRO))
    torch.save({f'{"student." if prefix else ""}backbone.{k}': v for k, v in expected.items()}, tmp_path / 'a.pth')
    init_cfg = dict(type=kind, checkpoint=str(tmp_path / 'a.pth'), prefix=prefix)
    for cfg in (init_cfg, [init_cfg]):
        model = HRFormer(arch=MICRO, init_cfg=cfg)
        model.init_weights()
        assert_loaded(model, expected)
    model = HRFormer(arch=MICRO, init_cfg=dict(init_cfg, prefix='teacher'))
    with pytest.raises(ValueError, match="prefix is 'teacher', but no weight of .* has this prefix"):
        model.init_weights()


def test_pretrained(tmp_path):
    """The older argument `pretrained` works for the backbone and for models of the libraries that have it."""
    for task in ('segmentation', 'classification'):
        expected = randomized(build(task))
        torch.save(expected, tmp_path / 'a.pth')
        scope, cfg = MODEL[task]
        with DefaultScope.overwrite_default_scope(scope):
            model = MODELS.build(ConfigDict(copy.deepcopy(cfg), pretrained=str(tmp_path / 'a.pth')))
            model.init_weights()
        assert_loaded(model.backbone, {k.removeprefix('backbone.'): v for k, v in expected.items()})
    with pytest.raises(ValueError, match='pretrained is .*a.pth.*, but init_cfg is given too'):
        HRFormer(arch=MICRO, pretrained='a.pth', init_cfg=dict(type='Pretrained', checkpoint='b.pth'))
    with pytest.raises(TypeError, match='pretrained must be a file or a URL, but is True'):
        HRFormer(arch=MICRO, pretrained=True)


def test_single_head_loads_outside_of_init_weights():
    """Loading only an adapter or a head with strict=False must not raise an error."""
    model = build('pose')
    model.load_state_dict({'head.final_layer.bias': torch.ones(5)}, strict=False)
    assert torch.equal(model.head.final_layer.bias, torch.ones(5))
