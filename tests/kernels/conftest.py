"""Kernels run on the GPU where there is one, else in Triton's interpreter, see the conftest.py above."""

import json
from pathlib import Path

import pytest
import torch

COMPILE = """
import sys
sys.path.insert(0, {folder!r})
import {script} as script
sys.argv = ['{script}.py', '--json', *sys.argv[1:]]
script.main()
"""


@pytest.fixture(autouse=True)
def poisoned():
    """Memory that is not written holds NaN."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.empty(3).isnan().all() and torch.zeros(3).new_empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def all_rounded(rounded):
    """See the conftest.py above."""


@pytest.fixture
def compiled(run_python):
    """``compiled(script, *options)`` is what a script of this folder finds out about kernels."""

    def run(script, *options):
        code = COMPILE.format(folder=str(Path(__file__).parent), script=script)
        return json.loads(run_python(code, *options).splitlines()[-1])

    return run
