import json
import sys
from dataclasses import asdict

import pytest
import torch
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.deploy import to_deploy
from hrformer_mm.layers import WindowAttention
from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.ops import block_backend, set_attention_backend, set_block_backend
from hrformer_mm.commands.benchmark import Options, backbones, benchmark_suite, machine, suite
from hrformer_mm.commands.benchmark.floors import step_bytes

SMALL = dict(large=(32, 64), small=(32, 32), batches=(2, 3))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The compiler would take minutes, and the rates seconds."""
    monkeypatch.setattr(machine, 'SECONDS', 0.01)
    monkeypatch.setattr(torch, 'compile', lambda model, dynamic: model)
    monkeypatch.setattr(backbones, 'to_deploy', lambda model, compile=False, cuda_graphs=False: to_deploy(model))
    yield
    assert set_attention_backend('auto') == set_block_backend('auto') == 'auto', 'the backends are set back'


@pytest.mark.slow
def test_all_parts():
    pytest.importorskip('mmpose')
    seen = []
    result = benchmark_suite(Options('tiny', runs=1), 10_000, on_part=seen.append, **SMALL)
    assert seen == result.parts and not any(part.problem for part in seen)
    assert [(part.name, len(part.rows)) for part in seen] == [
        ('window attention, stride 4 of 32x64, batch 2', 12), ('inference, 32x64, batch 2', 3),
        ('inference, 32x32, batch 1', 3), ('training step, 32x64, batch 2', 4), ('inference, 32x32, batch 3', 3),
        ('inference, 32x64, batch 2, compiled', 5)]
    for part in seen:
        assert 'mmpose' in part.rows[0].name and part.rows[0].times_as_fast == 1
        for row in part.rows:
            assert 0 < row.lowest_ms <= row.median_ms <= row.highest_ms and row.floor_ms > 0
            assert row.of_floor == pytest.approx(row.floor_ms / row.median_ms) and row.error < 1e-3
            assert (row.peak_mib is None) == part.name.startswith('window attention')
            if row.peak_mib is not None:
                images = int(part.name.split('batch ')[1].split(',')[0])
                assert row.images_per_second == pytest.approx(1000 * images / row.median_ms)
    assert all(of.startswith('auto') for of in result.backends.values()) and result.gemm_gflops > 0 and result.copy_gbps > 0


def test_what_does_not_fit_and_what_fails(monkeypatch):

    def fail(options, *_):
        if options.train:
            raise RuntimeError('out of memory')
        return []

    monkeypatch.setattr(suite, '_rows', fail)
    parts = benchmark_suite(Options('tiny', runs=1), 100, **SMALL).parts
    assert [part.problem is None for part in parts] == [True, True, True, False, True, False]
    assert parts[3].problem == 'failed: RuntimeError: out of memory'
    assert parts[5].problem.startswith('left out: ') and parts[5].problem.endswith('of 100 seconds are left')
    assert all(part.problem.startswith('left out') for part in benchmark_suite(Options('tiny'), 0, **SMALL).parts)


def test_blocks_with_their_kernels_and_without(monkeypatch):
    """What the kernels gain is seen where both were timed."""
    monkeypatch.setattr(suite, 'choose_backends', lambda device: dict(attention=('auto', ''), blocks=('triton', '')))
    monkeypatch.setattr(suite, '_rows', lambda *_: [suite.SuiteRow(block_backend._backend, *[1] * 6, error=None)])
    parts = benchmark_suite(Options('tiny', runs=1), 1000, **SMALL).parts
    without = [part.name for part in parts if part.rows[0].name == 'torch']
    assert without == [f"{name}, blocks of PyTorch's operators" for name in (parts[1].name, parts[3].name)]
    assert all(part.rows[0].name == 'triton' for part in parts if part.name not in without) and len(parts) == 8


def test_bytes_are_those_of_the_definition():
    """Counted module by module, of a map that no window has to be padded for."""
    model, found = HRFormer('tiny').eval(), []

    def conv(module, args, out):
        found.append(args[0].numel() + out.numel() + module.weight.numel())

    def attention(module, args, out):
        c = out.shape[3]
        maps = [c, 3 * c, 3 * c, c, c, c]
        found.append(sum(maps) * out.numel() // c + 4 * c * c)

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(conv)
        elif isinstance(module, WindowAttention):
            module.register_forward_hook(attention)
    with torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
    assert step_bytes(Options('tiny'), (224, 224)) == 4 * sum(found)
    assert step_bytes(Options('tiny', train=True, dtype='bf16', batch=2), (64, 64)) % 6 == 0


def run(*arguments):
    return CliRunner().invoke(main, ['benchmark', '--arch', 'tiny', '--runs', '1', *map(str, arguments)])


def test_command(monkeypatch):
    row = suite.SuiteRow("mmpose's", 3.5, 3, 4, 1, 0.7, 0.2, 1e-3, 2000, 12, 1)
    monkeypatch.setattr(suite, '_rows', lambda *_: [row])
    result = run('--suite')
    assert result.exit_code == 0, result.output
    for text in ('training step, 512x1024, batch 2', 'batch 64', '3.500', '20%', 'floor ms', 'tiny, bf16', 'GFLOP/s', '2000', 'ViTPose-B 944'):
        assert text in result.stdout
    assert json.loads(run('--suite', '--json').stdout)['parts'][0]['rows'] == [asdict(row)]
    result = run('--suite', '--json', '--budget', 0)
    assert result.exit_code == 0 and [part['rows'] for part in json.loads(result.stdout)['parts']] == [[]] * 6
    monkeypatch.setattr(suite, '_rows', lambda *_: 1 / 0)
    result = run('--suite')
    assert result.exit_code == 1 and 'failed: ZeroDivisionError' in result.stdout and 'parts of the' in result.stderr


def test_a_gpu_alone_asks_for_the_suite(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(sys.modules['hrformer_mm.cli.benchmark'], '_suite', lambda options, *_: asked.append(options))
    assert run('--device', 'cuda').exit_code == 0
    assert asked[0].device == 'cuda' and asked[0].dtype == 'bf16'


@pytest.mark.parametrize('option', [('--train', ), ('--size', 32, 32), ('--batch', 2), ('--graphs', )])
def test_the_suite_has_its_own_rows(option):
    result = run('--suite', *option)
    assert result.exit_code == 2 and '--suite has its own sizes' in result.output
