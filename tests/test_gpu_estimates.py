"""The estimates of docs/gpu.md are what their script prints."""

from pathlib import Path

import pytest

from hrformer_mm.tools.benchmark.backbones import mmpose_hrformer

RUN = '''
import sys
sys.path.insert(0, 'tests')
import gpu_estimates
gpu_estimates.main()
'''


@pytest.mark.slow
def test_the_page_says_what_is_counted(run_python):
    if mmpose_hrformer() is None:
        pytest.skip('mmpose is not installed')
    page = (Path(__file__).parents[1] / 'docs/gpu.md').read_text()
    printed = run_python(RUN).splitlines()
    rows = [line.split(' | ')[1:-1] for line in printed if line.startswith('| ') and line.endswith(' ms |')]
    assert len(rows) == 15
    rows.append(printed[-1].rstrip(' |').split(' | ')[1:])
    for row in rows:
        assert f"| {' | '.join(row)} |" in page
