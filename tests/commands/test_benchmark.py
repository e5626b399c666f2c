import json
import sys

import cv2
import pytest
import torch
from click.testing import CliRunner

import hrformer_mm  # noqa: F401
from hrformer_mm.cli import main
from hrformer_mm.deploy import to_deploy
from hrformer_mm.layers import WindowAttention
from hrformer_mm.models.arch import ARCHS, from_arch, from_extra
from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.commands.benchmark import Options, backbones, benchmark, machine

FORMS = ["mmpose's HRFormer", 'hrformer_mm', 'hrformer_mm, deployment form']


@pytest.fixture(autouse=True)
def short_floors(monkeypatch):
    monkeypatch.setattr(machine, 'SECONDS', 0.01)


def rows_of(size=(64, 64), **options):
    section, = benchmark(Options('tiny', (size, ), runs=2, **options)).sections
    assert (section.height, section.width) == size
    for row in section.rows:
        assert 0 < row.lowest_ms <= row.median_ms <= row.highest_ms
    return {row.name: row for row in section.rows}


def run(*arguments):
    return CliRunner().invoke(main, ['benchmark', '--arch', 'tiny', '--runs', '1', *map(str, arguments)])


@pytest.mark.parametrize('arch', ARCHS)
def test_extra_is_the_variant(arch):
    ours = from_arch(arch, 7)
    theirs, arguments = from_extra(backbones.mmpose_extra(arch))
    assert theirs.stages == ours.stages and arguments['out_indices'] == (0, 1, 2, 3)


@pytest.mark.parametrize('dtype, bound', [('float32', 1e-5), pytest.param('bf16', 5e-2, marks=pytest.mark.slow)])
def test_all_forms_compute_the_same(dtype, bound):
    pytest.importorskip('mmpose')
    rows = rows_of(batch=2, dtype=dtype)
    assert list(rows) == FORMS
    assert rows[FORMS[0]].times_as_fast == rows[FORMS[0]].peak_ratio == 1
    assert all(row.error <= bound and row.compile_s is None for row in rows.values())
    assert (rows[FORMS[2]].error > 0) and list(rows_of(deploy=False)) == FORMS[:2]


@pytest.mark.slow
def test_a_training_step_and_its_memory():
    pytest.importorskip('mmpose')
    rows = rows_of(batch=2, train=True)
    assert all(row.error <= 1e-3 for row in rows.values())  # batch statistics of few places
    peer, ours, cheap, blocks = (row.peak_mib for row in rows.values())
    assert blocks < cheap < 0.9 * peer and ours < 1.2 * peer
    forward = rows_of(batch=2)['hrformer_mm'].gmac
    # each product has two in the backward pass, which forms the attention probabilities anew
    assert 2.9 * forward < rows['hrformer_mm'].gmac < 3.1 * forward


def test_multiply_adds_are_those_of_the_definition():
    """Counted module by module at 224x224, where 7x7 windows divide every map."""
    model, found = HRFormer('tiny').eval(), []

    def conv(module, args, out):
        found.append(out.numel() * module.weight[0].numel())

    def attention(module, args, out):
        n, h, w, c = args[0].shape
        found.append(n * h * w * (4 * c * c + 2 * 49 * c))

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(conv)
        elif isinstance(module, WindowAttention):
            module.register_forward_hook(attention)
    with torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
    assert rows_of((224, 224), deploy=False)['hrformer_mm'].gmac == pytest.approx(sum(found) / 1e9, rel=1e-6)


def test_segmentation_is_mmsegs():
    pytest.importorskip('mmpose')
    pytest.importorskip('mmseg')
    rows = rows_of(ocr=True)
    assert list(rows) == ["mmseg's OCR, mmpose's HRFormer", *FORMS[1:]]
    assert all(row.error <= 1e-5 for row in rows.values()) and rows[FORMS[1]].error > 0


@pytest.mark.slow
def test_context_has_no_error_and_its_own_work():
    pytest.importorskip('mmpretrain')
    rows = rows_of(context=True, deploy=False)
    swin, hrnet = list(rows.values())[-2:]
    assert (swin.name, swin.error) == ("mmpretrain's Swin-S", None) and hrnet.name == "mmpretrain's HRNet-W48"
    assert hrnet.error is None and len({row.gmac for row in rows.values()}) == 3


def test_without_mmpose_ours_is_timed_alone(monkeypatch):
    for name in [name for name in sys.modules if name.startswith('mmpose')]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, 'mmpose', None)
    backbones.mmpose_hrformer.cache_clear()
    try:
        with pytest.warns(UserWarning, match='mmpose cannot be imported .*: hrformer_mm is timed without its peer'):
            rows = rows_of()
        assert list(rows) == FORMS[1:] and rows['hrformer_mm'].times_as_fast == 1
    finally:
        backbones.mmpose_hrformer.cache_clear()


def test_mmposes_backbone_without_what_its_data_sets_need(run_python):
    """A machine with a GPU may have no compiler for xtcocotools."""
    pytest.importorskip('mmpose')
    print(run_python('''
import sys
sys.modules['xtcocotools'] = None
import hrformer_mm
from hrformer_mm.commands.benchmark import backbones
peer = backbones.mmpose_hrformer()
assert peer.__module__ == 'mmpose.models.backbones.hrformer' and 'mmpose.models' not in sys.modules
peer(backbones.mmpose_extra('tiny'))
'''))


@pytest.mark.slow
@pytest.mark.parametrize('train', [False, True])
def test_compiled_contenders(monkeypatch, train):
    """Which there are, and that their first step is timed; the compiler itself would take minutes."""
    pytest.importorskip('mmpose')
    monkeypatch.setattr(torch, 'compile', lambda model, dynamic: model)
    monkeypatch.setattr(backbones, 'to_deploy', lambda model, compile=False: to_deploy(model))
    rows = rows_of((32, 64), compile=True, train=train)
    timed = [name for name, row in rows.items() if row.compile_s is not None]
    ours = 'hrformer_mm, compiled' if train else 'hrformer_mm, deployment form, compiled'
    assert timed == ["mmpose's, compiled", ours] and all(rows[name].compile_s > 0 for name in timed)


def test_json_and_picture(tmp_path):
    result = run('--size', 64, 64, '--size', 32, 64, '--json', '--picture', tmp_path / 'a.png')
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert list(found) == ['options', 'environment', 'gemm_gflops', 'copy_gbps', 'sections']
    assert found['environment']['torch'] == torch.__version__ and found['environment']['threads'] == 2
    assert found['environment']['cpu'] and found['copy_gbps'] > 0
    first, second = found['sections']
    assert (second['height'], second['width']) == (32, 64)
    for a, b in zip(first['rows'], second['rows']):
        assert a['name'] == b['name'] and a['growth'] == 1
        assert b['growth'] == pytest.approx(2 * b['median_ms'] / a['median_ms'])
        assert b['times_as_fast'] == pytest.approx(second['rows'][0]['median_ms'] / b['median_ms'])
        assert b['of_floor'] == pytest.approx(2000 * b['gmac'] / found['gemm_gflops'] / b['median_ms'])
    image = cv2.imread(str(tmp_path / 'a.png'))
    assert image.shape == (750, 1200, 3) and len({tuple(pixel) for pixel in image.reshape(-1, 3)}) > 10


def test_table():
    result = run('--size', 32, 32)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {'median ms', 'of floor', 'peak MiB', 'error'} <= {cell.strip() for cell in lines[1].split('  ')}
    assert 'growth' not in lines[1] and 'compile s' not in lines[1]
    assert any('hrformer_mm, deployment form' in line for line in lines)
    assert 'HRFormer tiny, batch 1, float32' in lines[-2] and 'GFLOP/s' in lines[-1]


@pytest.mark.parametrize('arguments, message', [
    (('--size', 33, 32), 'the height is 33, but must be a multiple of 32'),
    (('--size', 64, 64, '--size', 32, 0), 'the width is 0, but must be a multiple of 32'),
    (('--dtype', 'fp16'), "dtype is 'fp16', which is for CUDA alone"),
    (('--train', '--size', 32, 32), 'batch is 1 and the size 32x32, but in training batch norm needs more'),
    (('--ocr', '--train'), 'leave train out'),
    (('--ocr', '--context'), 'leave context out'),
    (('--device', 'cuda', '--threads', 2), '--threads is for the CPU'),
    (('--picture', 'none/a.png'), 'there is no folder'),
])
def test_wrong_options(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2 and message in result.output


@pytest.mark.parametrize('option, module, remedy', [
    ('--ocr', 'mmseg.registry', 'pip install mmsegmentation'),
    ('--context', 'mmpretrain.models.backbones', 'pip install mmpretrain'),
])
def test_a_library_that_is_not_there(monkeypatch, option, module, remedy):
    monkeypatch.setitem(sys.modules, module, None)
    result = run('--size', 32, 32, option)
    assert result.exit_code == 1 and result.stderr.splitlines()[-1].startswith(f'Error: {module} is needed')
    assert remedy in result.stderr


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    result = run('--device', 'cuda')
    assert result.exit_code == 2 and 'torch finds no CUDA device' in result.output
