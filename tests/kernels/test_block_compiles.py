"""The kernels of fusions, norms, GELUs and depth-wise convolutions are compiled for GPUs, which needs none.

`python tests/kernels/block_resources.py` prints what is checked here.
"""

from functools import partial

import pytest

pytest.importorskip('triton', minversion='3.2')  # earlier ones have another interface to the compiler


@pytest.fixture
def resources(compiled):
    return partial(compiled, 'block_resources')


def check(kernel, registers, instructions):
    """Nothing is spilled, so many programs fit a multiprocessor, and of every map's element few instructions are
    executed by a warp."""
    assert kernel['spilled'] == 0 and kernel['registers'] <= registers, kernel
    assert 32 * kernel['executed'] * kernel['warps'] * kernel['programs'] < instructions * 2 * 128 * 256 * 312, kernel


def test_depthwise_convolution_of_hrformer_b(resources):
    for kernel, limits in zip(resources('--only', 'depthwise'), ((96, 50), (128, 66))):
        check(kernel, *limits)


@pytest.mark.slow
def test_training_of_hrformer_b(resources):
    found = resources()
    assert len(found) == 11
    for kernel in found:
        # Of a convolution an element takes part in nine products; of a sum of streams thirteen are read.
        large = 'depthwise' in kernel['name'] or 'fuse' in kernel['name']
        check(kernel, 168 if large else 96, 80 if large else 40)


@pytest.mark.slow
@pytest.mark.parametrize('capability, dtype', [(80, 'fp32'), (90, 'fp16'), (120, 'bf16')])
def test_all_kernels(resources, capability, dtype):
    """Maps of two channels at a time, and of an odd number; none holds much of a program's memory."""
    found = resources('--capability', capability, '--dtype', dtype, '--channels', 78, 39)
    assert len(found) == 22 and max(kernel['shared'] for kernel in found) <= 16 * 1024
    assert max(kernel['spilled'] for kernel in found) <= 64
