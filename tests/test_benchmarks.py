"""The scripts of benchmarks/ count correctly, and run on a micro model."""

import csv
import importlib
import json

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner

import hrformer_mm  # noqa: F401  (before mmpose, which may lack compiled operators)

pytest.importorskip('mmpose')
MIB = 2**20


@pytest.fixture
def script(monkeypatch, request):
    """Import a script by name, and restore the number of threads after the test."""
    monkeypatch.syspath_prepend(request.config.rootpath / 'benchmarks')
    threads = torch.get_num_threads()
    yield importlib.import_module
    torch.set_num_threads(threads)


# Counted before this script existed: (launches, MB) of mmpose's block in inference and in training.
@pytest.mark.parametrize('variant, inference, training', [('T', (28, 284), (65, 761)), ('B', (33, 1220), (71, 3179))])
def test_traffic_of_a_block(script, variant, inference, training):
    traffic = script('gpu_traffic')
    for row, (launches, megabytes) in zip(traffic.rows((variant,), (7,)), (inference, training)):
        assert abs(sum(row.mmpose.launches.values()) - launches) <= 1
        assert row.mmpose.total / 1e6 == pytest.approx(megabytes, rel=0.015)
        assert row.ratio <= traffic.LIMIT, row.name


def test_traffic_of_operators(script):
    traffic = script('gpu_traffic')
    x, weight, bias = (torch.empty(shape, device='meta') for shape in ((2, 8, 4, 4), (16, 8, 1, 1), 16))
    with traffic.Traffic() as counted:
        F.conv2d(x, weight, bias).flatten(1)
        F.pad(x, (0, 1))
        x[:, :1] + x.new_zeros(1).expand(2, 1, 4, 4)
    assert counted.bytes == {
        'convolution': 4 * (256 + 128 + 16 + 512),
        'add_ of a convolution bias': 4 * 1024,
        'fill_': 4 * 320,
        'copy_': 4 * 512,
        'new_zeros': 4,
        'add': 4 * (32 + 1 + 32),
    }


@pytest.mark.parametrize('head_size, fused', [(39, False), (40, True)])
def test_attention_that_cuda_would_choose(script, head_size, fused):
    traffic = script('gpu_traffic')
    q, bias = (torch.empty(shape, device='meta', dtype=torch.bfloat16) for shape in ((3, 2, 9, head_size), (2, 9, 9)))
    with traffic.Traffic() as counted, traffic.CudaAttention():
        F.scaled_dot_product_attention(q, q, q, bias)
    efficient = {'_scaled_dot_product_efficient_attention': 2 * (4 * q.numel() + bias.numel()) + 16}  # 16: the seed
    assert (counted.bytes == efficient) is fused and ('bmm' in counted.bytes) is not fused


def test_peak_memory(script):
    x = torch.ones(MIB // 4, requires_grad=True)
    with_graph = script('measure').peak_bytes(lambda: x.exp().exp().exp(), 'cpu')
    with torch.no_grad():
        assert script('measure').peak_bytes(lambda: x.exp().exp().exp(), 'cpu') == 2 * MIB
    assert with_graph == 3 * MIB


@pytest.mark.parametrize(
    'options, forms',
    [
        ((), ('', ', deployment form')),
        (('--train', '--batch', '2'), ('', ", with_cp='cheap'", ', with_cp=True')),
        (('--ocr', '--dtype', 'bf16'), ('', ', deployment form')),
        pytest.param(('--context',), ('', ', deployment form'), marks=pytest.mark.slow),
        pytest.param(
            ('--openvino',), ('', ', deployment form', ', OpenVINO'), marks=[pytest.mark.slow, pytest.mark.openvino]
        ),
    ],
    ids=str,
)
def test_speed(script, monkeypatch, options, forms):
    monkeypatch.setattr(script('measure'), 'GEMM_SECONDS', 0.01)
    monkeypatch.setitem(script('contenders').VARIANTS, 'tiny', ((1, 1, 1, 1), (8, 16, 24, 32), (1, 2, 3, 4)))
    arguments = ['--arch', 'tiny', '--size', '32', '64', '--runs', '1', '--threads', '1', '--json']
    result = CliRunner().invoke(script('speed').main, [*arguments, *options])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)['sections']['32x64']
    assert [row['name'] for row in rows][1 : 1 + len(forms)] == [f'hrformer_mm{form}' for form in forms]
    for row in rows:
        assert 0 < row['lowest_ms'] <= row['median_ms'] <= row['highest_ms'] and row['peak_mib'] > 0
        assert row['error'] is None or row['error'] < (3e-2 if 'bf16' in options else 1e-4)


def test_engines(script, monkeypatch, tmp_path):
    """Time two forms of a micro model, and write the CSV file and the picture."""
    monkeypatch.setitem(script('contenders').VARIANTS, 'base', ((1, 1, 1, 1), (8, 16, 24, 32), (1, 2, 3, 4)))
    arguments = ['--size', '32', '64', '--runs', '1', '--threads', '1', '--model', 'HRFormer-B', '--dtype', 'fp32']
    arguments += ['--engine', 'eager', '--engine', 'deployment form']
    files = ['--csv', str(tmp_path / 'a.csv'), '--picture', str(tmp_path / 'a.png')]
    result = CliRunner().invoke(script('engines').main, [*arguments, *files])
    assert result.exit_code == 0, result.output
    with open(tmp_path / 'a.csv') as file:
        rows = list(csv.DictReader(file))
    assert [(row['engine'], row['size'], row['batch']) for row in rows] == [
        ('eager', '32x64', '1'),
        ('deployment form', '32x64', '1'),
    ]
    assert all(0 < float(row['lowest_ms']) <= float(row['ms']) for row in rows)
    assert (tmp_path / 'a.png').stat().st_size > 1000 and 'deployment form' in result.stdout
