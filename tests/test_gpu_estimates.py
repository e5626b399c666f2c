"""The estimates of docs/gpu.md are what their script prints."""

import re
from pathlib import Path

import pytest

from hrformer_mm.commands.benchmark.backbones import mmpose_hrformer

RUN = '''
import sys
sys.path.insert(0, 'tests')
import {script}
{script}.main()
'''
PAGE = Path(__file__).parents[1] / 'docs/gpu.md'


@pytest.mark.slow
def test_the_page_says_what_is_counted(run_python):
    if mmpose_hrformer() is None:
        pytest.skip('mmpose is not installed')
    printed = run_python(RUN.format(script='gpu_estimates')).splitlines()
    rows = [line.split(' | ')[1:-1] for line in printed if line.startswith('| ') and line.endswith(' ms |')]
    assert len(rows) == 17
    rows.append(printed[-1].rstrip(' |').split(' | ')[1:])
    for row in rows:
        assert f"| {' | '.join(row)} |" in PAGE.read_text()


def test_kernels_in_a_row(run_python):
    counts = [re.findall(r'\d+', line) for line in run_python(RUN.format(script='gpu_critical_path')).splitlines()]
    (all_by_torch, _, by_torch), (all_by_kernels, _, by_kernels) = counts
    said = f'{by_kernels} of {all_by_kernels} follow one another, without those for blocks {by_torch} of {all_by_torch}'
    assert said in ' '.join(PAGE.read_text().split())
