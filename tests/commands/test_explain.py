"""The command on micro models, attention against the module, gradients and components that are known."""

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
from hrformer_mm.layers import HRFormerBlock

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4))


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp('image') / 'a.png'
    cv2.imwrite(str(path), np.kron(np.random.default_rng(0).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))))
    return str(path)


def make_block(window=(3, 5), **options):
    torch.manual_seed(0)
    block = HRFormerBlock(12, 3, window, 2, 0., dict(type='BN'), **options).eval()
    for name, value in block.named_parameters():
        torch.nn.init.normal_(value, std=0.5 if name.endswith(('bias', 'table')) else 0.3)
    return block


def check_pictures(folder, about):
    assert set(about['pictures']) == {'overview.png', 'features.png', 'windows.png', 'attention.png',
                                      'receptive_field.png'}
    for name, (width, height) in about['pictures'].items():
        assert cv2.imread(str(folder / name)).shape[:2] == (height, width) and width == 1800


def test_command(micro, image, tmp_path):
    result = CliRunner().invoke(main, ['explain', *micro['pose'], image, '-o', str(tmp_path), '--pixel', '70', '40',
                                       '--max-side', '96', '--stream', '1', '--device', 'cpu', '--json'])
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert about == json.loads((tmp_path / 'explanation.json').read_text()) and about['trained']
    check_pictures(tmp_path, about)
    assert about['image'] == dict(path=image, size=[128, 96], seen=[96, 72], pixel=[70, 40], pixel_seen=[52, 30])
    assert [branch['map'] for branch in about['branches']] == [[18, 24], [9, 12], [5, 6], [3, 3]]
    assert [branch['is_output'] for branch in about['branches']] == [True, False, False, False]
    found, windows = about['attention'], about['windows'][1]
    assert found['position'] == [3, 6] and windows['window'] == [7, 7] and windows['windows'] == [2, 2]
    assert windows['padding'] == dict(top=2, bottom=3, left=1, right=1)
    assert found['window'] == dict(top=-2, bottom=5, left=6, right=13) and found['difference'] <= 1e-5
    assert np.shape(found['probabilities']) == (2, 7, 7)
    block, backbone = about['receptive_field']['block'], about['receptive_field']['backbone']
    assert block['without_dwconv']['outside_window'] == 0 < block['with_dwconv']['outside_window']
    assert block['position'] == [4, 6] and backbone['position'] == [3, 6]


def test_shifted_windows_without_bias_and_convolution(micro, tmp_path, monkeypatch):
    """No checkpoint either, and a model that pads its images, here a narrow one."""
    cfg = Config.fromfile(micro['seg'][0])
    cfg.model.backbone.update(with_rpe=False, with_dwconv=False, shift_windows=True)
    cfg.model.backbone.arch.num_blocks = 2
    cfg.model.data_preprocessor.test_cfg = dict(size_divisor=32)
    cfg.dump(tmp_path / 'a.py')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((200, 40, 3), np.uint8))
    titles = []
    monkeypatch.setattr(Figure, 'suptitle', lambda figure, text, **options: titles.append(text))
    about = explain(str(tmp_path / 'a.py'), 'none', str(tmp_path / 'a.png'), str(tmp_path), (0, 0), block=1)
    assert not about['trained'] and all('UNTRAINED WEIGHTS' in title for title in titles) and len(titles) == 5
    check_pictures(tmp_path, about)
    assert about['input_size'] == (64, 224) and about['windows'][0]['shift'] == (3, 3)
    # The map of 16x56 has 2 positions of padding on the left; windows begin 3 positions after the padded map does.
    assert about['attention']['window'] == dict(top=0, bottom=3, left=-2, right=1)
    assert about['attention']['bias'] is None and about['attention']['difference'] <= 1e-5
    assert set(about['receptive_field']['block']) == {'position', 'cell', 'without_dwconv'}


@pytest.mark.parametrize('change, message', [
    (dict(pixel=(128, 0)), 'the pixel is 128 0, but .*a.png has 128 x 96 pixels: x must be 0 to 127, and y 0 to 95'),
    (dict(stage=5), 'the stage is 5, but must be one of 2, 3, 4'),
    (dict(module=1), 'the module is 1, but must be one of 0'),
    (dict(block=-1), 'the block is -1, but must be one of 0'),
    (dict(stage=3, branch=3), 'the branch is 3, but must be one of 0, 1, 2'),
    (dict(image='none.png'), 'there is no picture none.png'),
    (dict(max_side=0), 'max_side is 0'),
    (dict(config='none'), 'no config file none'),
    (dict(checkpoint='none.pth'), 'no checkpoint at none.pth'),
    (dict(device='cuda:99'), 'the device cuda:99 cannot be used'),
    (dict(config='lenet.py', checkpoint='none'), 'model.backbone is a LeNet5 of mmpretrain, but must be of type'),
    (dict(folder='file/out'), 'file/out cannot be written to'),
])
def test_invalid_arguments(micro, image, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    (tmp_path / 'lenet.py').write_text("default_scope = 'mmpretrain'\nmodel = dict(type='ImageClassifier', "
                                       "backbone=dict(type='LeNet5', num_classes=9))")
    config, checkpoint = micro['cls']
    arguments = dict(config=config, checkpoint=checkpoint, image=image, folder='out', max_side=32, device='cpu')
    with pytest.raises((ValueError, OSError), match=message):
        explain(**{**arguments, **change})
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('task', ['seg', 'pose', 'cls', pytest.param('det', marks=pytest.mark.slow)])
def test_images_are_normalised_as_the_model_does(micro, image, task):
    config = 'configs/fcos_hrformer-s_coco.py' if task == 'det' else micro[task][0]
    _, preprocessor = load_network(config, 'none', 'cpu')
    expected = (cv2.imread(image)[..., ::-1] - np.array([123.675, 116.28, 103.53])) / [58.395, 57.12, 57.375]
    found = preprocess(cv2.imread(image), preprocessor)
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize('size, position', [((6, 10), (4, 7)), ((7, 11), (0, 10)), ((7, 11), (6, 0)), ((2, 3), (1, 1))])
@pytest.mark.parametrize('options', [dict(), dict(shifted=True), dict(with_rpe=False), dict(with_pad_mask=True)])
def test_attention_is_that_of_the_module(size, position, options):
    block, x = make_block(**options), torch.randn(1, 12, *size)
    grid = windows_of(block, size, 4)
    found = attention_of(block, x, grid, position)
    assert found['difference'] <= 1e-5
    np.testing.assert_allclose(np.sum(found['probabilities'], (1, 2)), 1, atol=1e-4)
    if options.get('with_pad_mask'):
        assert np.sum(found['on_padding']) == 0
    if options.get('with_rpe', True):
        assert np.abs(np.subtract(found['probabilities'], found['without_bias'])).max() > 1e-2
        torch.nn.init.zeros_(block.attn['attn'].relative_position_bias_table)
        bare = attention_of(block, x, grid, position)
        assert bare['difference'] <= 1e-5 and bare['probabilities'] == found['without_bias']


def test_attention_of_another_window_differs_from_the_module():
    x, grid = torch.randn(1, 12, 6, 10), windows_of(make_block(), (6, 10), 4)
    assert attention_of(make_block(shifted=True), x, grid, (0, 0))['difference'] > 1e-2


@pytest.mark.parametrize('size, shifted, rows, columns, corner', [
    ((6, 10), False, [0, 3, 6], [0, 5, 10], (2, 4)),
    ((7, 10), False, [-1, 2, 5, 8], [0, 5, 10], (1, 4)),
    ((7, 10), True, [-1, 0, 3, 6, 8], [0, 2, 7, 10], (2, 6)),
    ((2, 3), True, [0, 3], [-1, 4], (0, 2)),
])
def test_windows(size, shifted, rows, columns, corner):
    grid = windows_of(make_block(shifted=shifted), size, 8)
    assert grid.edges == (rows, columns)
    for position in np.ndindex(size):
        window = grid.window_of(position)
        assert window[:2] in zip(rows, rows[1:]) and window.top <= position[0] < window.bottom
        assert window[2:] in zip(columns, columns[1:]) and window.left <= position[1] < window.right
    assert grid.corner_of(grid.window_of((1, 2))) == corner


def test_receptive_field_of_a_convolution():
    conv = torch.nn.Conv2d(2, 3, 3, padding=1)
    expected = np.zeros((6, 7))
    expected[1:4, 3:6] = conv.weight.detach().sum(0).abs().mean(0).numpy()
    field = receptive_field(conv, torch.randn(1, 2, 6, 7), (2, 4))
    np.testing.assert_allclose(field, expected, rtol=1e-5, atol=1e-7)


def test_receptive_field_of_a_block():
    """From the corner of a window the convolution reaches the windows that meet there, and from its centre none."""
    block, x = make_block((7, 7)), torch.randn(1, 12, 21, 21)
    inside, met = np.zeros((21, 21), bool), np.zeros((21, 21), bool)
    inside[7:14, 7:14] = met[0:14, 7:21] = True
    networks = with_and_without_dwconv(block)
    assert ((receptive_field(networks['without_dwconv'], x, (7, 13)) > 0) == inside).all()
    assert ((receptive_field(networks['with_dwconv'], x, (7, 13)) > 0) == met).all()
    assert ((receptive_field(block, x, (10, 10)) > 0) == inside).all()


def test_without_the_convolution_is_what_the_argument_builds():
    model, x = HRFormer(MICRO).eval(), torch.randn(1, 3, 32, 48)
    networks, built = with_and_without_dwconv(model), HRFormer(MICRO, with_dwconv=False).eval()
    built.load_state_dict(networks['without_dwconv'].state_dict())
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(built(x), networks['without_dwconv'](x)))
        assert networks['with_dwconv'] is model and not torch.equal(model(x)[0], built(x)[0])
    assert list(with_and_without_dwconv(built)) == ['without_dwconv']


def test_description_of_a_field():
    field = np.zeros((9, 9))
    field[4, 4], field[4, 6], field[0, 0] = 6, 3, 1
    about = describe_field(field, (4, 4), Window(-1, 5, 3, 6), 8)
    assert about == dict(inputs=3, of=81, squares={'50%': 8, '95%': 72}, outside_window=0.4)


def test_principal_components():
    x = np.random.default_rng(0).normal(size=(8, 30)) * 2.0**np.arange(8)[:, None]
    colours, variance = principal_components(torch.from_numpy(x).view(8, 5, 6))
    _, s, v = np.linalg.svd(x - x.mean(1, keepdims=True), full_matrices=False)
    np.testing.assert_allclose(variance, (s**2 / (s**2).sum())[:3])
    for found, expected in zip(colours.reshape(30, 3).T, v):
        low, high = np.percentile(expected, [1, 99])
        expected = ((expected - low) / (high - low)).clip(0, 1)
        np.testing.assert_allclose(found, expected if np.corrcoef(found, expected)[0, 1] > 0 else 1 - expected)
    assert principal_components(torch.ones(8, 1, 1))[1] == [0, 0, 0]


@pytest.mark.parametrize('compiled', [False, True])
@torch.no_grad()
def test_maps_and_inputs(compiled):
    """Outputs where there are any, otherwise what the last block returns; a compiled backbone runs its hooks, too."""
    model, x = HRFormer(MICRO, out_indices=(1, ), compile=compiled).eval(), torch.randn(1, 3, 70, 50)
    maps, inputs = run(model, x)
    torch.testing.assert_close(maps[1], model.forward(x)[0])
    for i in (0, 2, 3):
        block = model.stage4[-1].branches[i][-1]
        torch.testing.assert_close(maps[i], block(inputs[block]))
    assert len(inputs) == 18 and not any(module._forward_hooks for module in model.modules())
