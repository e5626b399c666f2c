import json

import pytest
from click.testing import CliRunner

import hrformer_mm  # noqa: F401
from hrformer_mm.cli import main
from hrformer_mm.models.arch import ARCHS, from_arch, from_extra
from hrformer_mm.tools.benchmark import benchmark, mmpose_extra

pytest.importorskip('mmpose')


@pytest.mark.parametrize('arch', ARCHS)
def test_extra_is_the_variant(arch):
    ours = from_arch(arch, 7)
    theirs, arguments = from_extra(mmpose_extra(arch))
    assert theirs.stages == ours.stages and arguments['out_indices'] == (0, 1, 2, 3)


@pytest.mark.parametrize('options, names, bound', [
    (dict(), 3, 1e-5), (dict(train=True), 4, 1e-3), (dict(bf16=True), 3, 5e-2)])
def test_all_contenders_compute_the_same(options, names, bound):
    rows = benchmark('tiny', (64, 64), batch=2, runs=2, **options)
    assert len(rows) == names and rows[0].times_as_fast == 1
    for row in rows:
        assert 0 < row.lowest <= row.median <= row.highest and row.error <= bound
    if options.get('train'):
        peer, ours, cheap, blocks = (row.kept for row in rows)
        assert blocks < cheap < 0.7 * peer and ours < 1.1 * peer
    else:
        assert all(row.kept is None for row in rows)


def test_command():
    result = CliRunner().invoke(main, ['benchmark', '--arch', 'tiny', '--size', '32', '32', '--runs', '1', '--json'])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output[result.output.index('['):])
    assert [row['name'] for row in rows][1:] == ['hrformer_mm', 'hrformer_mm, deployment form']
    assert CliRunner().invoke(main, ['benchmark', '--size', '33', '32']).exit_code == 2
