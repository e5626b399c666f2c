"""Run the command on micro models; compare attention with the module, and other results with known values."""

import json

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure
from mmengine.config import Config

from hrformer_mm import HRFormer
from hrformer_mm.cli import main
from hrformer_mm.commands.explain.attention import attention_of
from hrformer_mm.commands.explain.explanation import explain, principal_components
from hrformer_mm.commands.explain.network import load_network, preprocess, run
from hrformer_mm.commands.explain.receptive_field import describe_field, receptive_field, with_and_without_dwconv
from hrformer_mm.commands.explain.windows import Window, windows_of
from hrformer_mm.commands.model import ALL_TASKS, read_config

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4))


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp('image') / 'a.png'
    cv2.imwrite(str(path), np.kron(np.random.default_rng(0).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))))
    return str(path)


def make_block(window=(3, 5), **options):
    torch.manual_seed(0)
    block = HRFormer(MICRO, (window,) * 4, **options).eval().stage2[0].branches[1][1]
    for value in block.parameters():
        torch.nn.init.normal_(value, std=0.4)
    return block


def test_command(micro, image, tmp_path):
    result = CliRunner().invoke(
        main,
        [
            'explain',
            *micro['pose'],
            image,
            '-o',
            str(tmp_path),
            '--pixel',
            '70',
            '40',
            '--max-side',
            '96',
            '--stream',
            '1',
            '--device',
            'cpu',
            '--json',
        ],
    )
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert about == json.loads((tmp_path / 'explanation.json').read_text()) and about['trained']
    assert list(about['pictures']) == [
        'overview.png',
        'features.png',
        'windows.png',
        'attention.png',
        'receptive_field.png',
    ]
    for name, (width, height) in about['pictures'].items():
        assert cv2.imread(str(tmp_path / name)).shape[:2] == (height, width) and width == 1800
    assert about['image'] == dict(path=image, size=[128, 96], seen=[96, 72], pixel=[70, 40], pixel_seen=[52, 30])
    assert [branch['map'] for branch in about['branches']] == [[18, 24], [9, 12], [5, 6], [3, 3]]
    assert [branch['is_output'] for branch in about['branches']] == [True, False, False, False]
    assert about['windows'][1]['padding'] == dict(top=2, bottom=3, left=1, right=1)
    assert about['attention']['window'] == dict(top=-2, bottom=5, left=6, right=13)
    assert about['attention']['position'] == about['receptive_field']['backbone']['position'] == [3, 6]
    block = about['receptive_field']['block']
    assert block['without_dwconv']['outside_window'] == 0 < block['with_dwconv']['outside_window'] < 1


def test_padded_image_shifted_windows_no_bias_no_convolution_no_checkpoint(micro, tmp_path, monkeypatch):
    cfg = Config.fromfile(micro['seg'][0])
    cfg.model.backbone.update(with_rpe=False, with_dwconv=False, shift_windows=True)
    cfg.model.backbone.arch.num_blocks = 2
    cfg.model.data_preprocessor.test_cfg = dict(size_divisor=32)
    cfg.dump(tmp_path / 'a.py')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((200, 40, 3), np.uint8))
    titles = []
    monkeypatch.setattr(Figure, 'savefig', lambda figure, path: titles.append(figure.get_suptitle()))
    about = explain(str(tmp_path / 'a.py'), 'none', str(tmp_path / 'a.png'), str(tmp_path), (0, 0), block=1)
    assert not about['trained'] and ['UNTRAINED WEIGHTS' in title for title in titles] == [True] * 5
    assert about['input_size'] == (64, 224) and about['windows'][0]['shift'] == (3, 3)
    # The map of 16x56 has 2 positions of padding on the left; windows begin 3 positions after the padded map does.
    assert about['attention']['window'] == dict(top=0, bottom=3, left=-2, right=1)
    assert about['attention']['bias'] is None and about['attention']['difference'] <= 1e-5
    assert set(about['receptive_field']['block']) == {'position', 'cell', 'without_dwconv'}


@pytest.mark.parametrize(
    'change, message',
    [
        (
            dict(pixel=(128, 0)),
            'the pixel is 128 0, but .*a.png has 128 x 96 pixels: x must be 0 to 127, and y 0 to 95',
        ),
        (dict(stage=5), 'the stage is 5, but must be one of 2, 3, 4'),
        (dict(block=-1), 'the block is -1, but must be one of 0'),
        (dict(stage=3, branch=3), 'the branch is 3, but must be one of 0, 1, 2'),
        (dict(image='none.png'), 'there is no picture none.png'),
        (dict(max_side=0), 'max_side is 0'),
        (dict(config='lenet.py', checkpoint='none'), 'model.backbone is a LeNet5 of mmpretrain, but must be of type'),
        (dict(folder='lenet.py/out'), 'lenet.py/out cannot be written to'),
    ],
)
def test_invalid_arguments(micro, image, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'lenet.py').write_text(
        "default_scope = 'mmpretrain'\nmodel = dict(type='ImageClassifier', backbone=dict(type='LeNet5'))"
    )
    arguments = dict(zip(('config', 'checkpoint'), micro['cls']), image=image, folder='out', device='cpu')
    with pytest.raises((ValueError, OSError), match=message):
        explain(**dict(arguments, **change))
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('task', ['seg', 'pose', 'cls', 'det'])
def test_images_are_normalized_as_in_the_model(micro, image, task):
    config = 'configs/fcos_hrformer-s_coco.py' if task == 'det' else micro[task][0]
    _, preprocessor = load_network(read_config(config, ALL_TASKS), 'none', 'cpu')
    expected = (cv2.imread(image)[..., ::-1] - np.array([123.675, 116.28, 103.53])) / [58.395, 57.12, 57.375]
    np.testing.assert_allclose(preprocess(cv2.imread(image), preprocessor)[0].permute(1, 2, 0), expected, atol=1e-4)


@pytest.mark.parametrize('options', [dict(), dict(shift_windows=True), dict(with_rpe=False), dict(with_pad_mask=True)])
def test_attention_agrees_with_the_module(options):
    block, bare = make_block(**options), make_block(**options)
    if options.get('with_rpe', True):
        torch.nn.init.zeros_(bare.attn.attn.relative_position_bias_table)
    for size, position in (((8, 14), (4, 7)), ((7, 11), (0, 10)), ((7, 11), (6, 0)), ((2, 3), (1, 1))):
        x, grid = torch.randn(1, 12, *size), windows_of(block, size, 4)
        found, without_bias = attention_of(block, x, grid, position), attention_of(bare, x, grid, position)
        assert max(found['difference'], without_bias['difference']) <= 1e-5
        assert found['without_bias'] == without_bias['probabilities']
        assert (found['probabilities'] != found['without_bias']) == options.get('with_rpe', True)
        assert not (options.get('with_pad_mask') and np.any(found['on_padding']))


@pytest.mark.parametrize(
    'size, shift_windows, rows, columns, corner',
    [
        ((6, 10), False, [0, 3, 6], [0, 5, 10], (2, 4)),
        ((7, 10), False, [-1, 2, 5, 8], [0, 5, 10], (1, 4)),
        ((7, 10), True, [-1, 0, 3, 6, 8], [0, 2, 7, 10], (2, 6)),
        ((2, 3), True, [0, 3], [-1, 4], (0, 2)),
    ],
)
def test_windows(size, shift_windows, rows, columns, corner):
    grid = windows_of(make_block(shift_windows=shift_windows), size, 8)
    assert grid.edges == (rows, columns) and grid.corner_of(grid.window_of((1, 2))) == corner


def test_receptive_field():
    conv = torch.nn.Conv2d(2, 3, 3, padding=1)
    field = receptive_field(conv, torch.randn(1, 2, 6, 7), (2, 4))
    np.testing.assert_allclose(field[1:4, 3:6], conv.weight.detach().sum(0).abs().mean(0), rtol=1e-5)
    assert (field > 0).sum() == 9
    field = np.diag([1.0, 0, 6, 0, 3])
    assert describe_field(field, (2, 2), Window(-1, 4, 1, 4), 8) == dict(
        inputs=3, of=25, squares={'50%': 8, '95%': 40}, outside_window=0.4
    )


def test_receptive_field_of_a_block():
    """From a corner of a window, the convolution reaches the adjacent windows; from the center, it reaches none."""
    block, x = make_block((7, 7)), torch.randn(1, 12, 21, 21)
    inside, met = np.zeros((21, 21), bool), np.zeros((21, 21), bool)
    inside[7:14, 7:14] = met[0:14, 7:21] = True
    networks = with_and_without_dwconv(block)
    assert ((receptive_field(networks['without_dwconv'], x, (7, 13)) > 0) == inside).all()
    assert ((receptive_field(networks['with_dwconv'], x, (7, 13)) > 0) == met).all()
    assert ((receptive_field(block, x, (10, 10)) > 0) == inside).all()


def test_removed_convolution_equals_with_dwconv_false():
    model, x = HRFormer(MICRO).eval(), torch.randn(1, 3, 32, 48)
    networks, built = with_and_without_dwconv(model), HRFormer(MICRO, with_dwconv=False).eval()
    built.load_state_dict(networks['without_dwconv'].state_dict())
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(built(x), networks['without_dwconv'](x)))
        assert networks['with_dwconv'] is model and not torch.equal(model(x)[0], built(x)[0])


def test_principal_components():
    x = np.random.default_rng(0).normal(size=(8, 30)) * 2.0 ** np.arange(8)[:, None]
    colours, variance = principal_components(torch.from_numpy(x).view(8, 5, 6))
    _, s, v = np.linalg.svd(x - x.mean(1, keepdims=True), full_matrices=False)
    np.testing.assert_allclose(variance, (s**2 / (s**2).sum())[:3])
    for found, expected in zip(colours.reshape(30, 3).T, v):
        expected *= np.sign(np.corrcoef(found, expected)[0, 1])
        low, high = np.percentile(expected, [1, 99])
        np.testing.assert_allclose(found, ((expected - low) / (high - low)).clip(0, 1), atol=1e-9)


@torch.no_grad()
def test_maps_and_inputs_of_a_compiled_model_with_one_output():
    model, x = HRFormer(MICRO, out_indices=(1,), compile=True).eval(), torch.randn(1, 3, 70, 50)
    maps, inputs = run(model, x)
    torch.testing.assert_close(maps[1], model.forward(x)[0])
    for i in (0, 2, 3):
        block = model.stage4[-1].branches[i][-1]
        torch.testing.assert_close(maps[i], block(inputs[block]))
    assert not any(module._forward_hooks for module in model.modules())
