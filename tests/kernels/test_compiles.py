"""The kernels are compiled to machine code for GPUs, which needs none: what the interpreter takes, a compiler may not.

`python tests/kernels/resources.py` prints what is checked here.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip('triton', minversion='3.2')  # earlier ones have another interface to the compiler

SCRIPT = Path(__file__).with_name('resources.py')
RUN = """
import sys
sys.path.insert(0, {folder!r})
import resources
sys.argv = ['resources.py', '--json', *sys.argv[1:]]
resources.main()
"""


@pytest.fixture
def resources(run_python):
    return lambda *options: json.loads(run_python(RUN.format(folder=str(SCRIPT.parent)), *options).splitlines()[-1])


def test_training_of_hrformer_b(resources):
    """7x7 windows with padding: registers hold nearly all, and two programs are on a multiprocessor."""
    forward, backward = resources('--window', 7, '--head', 39)
    assert (forward['name'], backward['name']) == ('forward', 'backward_whole')
    assert forward['products'] and backward['products'], 'tensor cores are used'
    assert forward['spilled'] == 0 and forward['registers'] <= 128 and backward['spilled'] <= 200
    assert forward['shared'] <= 32 * 1024 and backward['shared'] <= 56 * 1024
    # What bounds them, as docs/gpu.md says: instructions.
    assert forward['executed'] < 1600 and backward['executed'] < 3 * 2800


def test_float32_does_without_tensor_cores(resources):
    found = resources('--window', 3, '--head', 18, '--dtype', 'fp32', '--capability', 80)
    assert len(found) == 2 and not any(kernel['products'] for kernel in found)


@pytest.mark.slow
@pytest.mark.parametrize('capability, shared, dtype, options', [
    (80, 163 * 1024, 'fp16', ('--head', 18, 32)), (80, 163 * 1024, 'fp32', ('--head', 39, '--mask')),
    (90, 227 * 1024, 'bf16', ('--head', 39, 40)), (90, 227 * 1024, 'fp16', ('--head', 64, '--mask')),
    (120, 99 * 1024, 'bf16', ('--head', 39))])
def test_all_kernels(resources, capability, shared, dtype, options):
    found = resources('--capability', capability, '--shared', shared, '--dtype', dtype, '--window', 3, 7, 15, *options)
    assert max(kernel['shared'] for kernel in found) <= shared, 'what a program may have on such a card'
    assert max(kernel['spilled'] for kernel in found) <= 320
    large = {kernel['name'] for kernel in found if kernel['window'] == 15}
    names = ('whole', ) if capability == 90 else ('queries', 'keys', 'bias')
    assert large == {'forward', *(f'backward_{name}' for name in names)}
