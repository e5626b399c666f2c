"""The kernels are compiled to machine code for GPUs, which needs none: what the interpreter takes, a compiler may not.

`python tests/kernels/resources.py` and `linear_resources.py` print what is checked here.
"""

from functools import partial

import pytest

pytest.importorskip('triton', minversion='3.2')  # earlier ones have another interface to the compiler


@pytest.fixture
def resources(compiled):
    return partial(compiled, 'resources')


@pytest.fixture
def linear_resources(compiled):
    return partial(compiled, 'linear_resources')


def test_training_of_hrformer_b(resources):
    """7x7 windows with padding: registers hold nearly all, and two programs are on a multiprocessor."""
    forward, backward = resources('--window', 7, '--head', 39)
    assert (forward['name'], backward['name']) == ('forward', 'backward_whole')
    assert forward['products'] and backward['products'], 'tensor cores are used'
    assert forward['spilled'] == 0 and forward['registers'] <= 128 and backward['spilled'] <= 200
    assert forward['shared'] <= 32 * 1024 and backward['shared'] <= 56 * 1024
    # What bounds them, as docs/gpu.md says: instructions.
    assert forward['executed'] < 1600 and backward['executed'] < 3 * 2800


@pytest.mark.slow
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


@pytest.mark.slow
def test_projections_of_hrformer_b(linear_resources):
    """Of its first stream: in registers, two programs on a multiprocessor, and no more instructions than docs/gpu.md
    says."""
    qkv, fc1 = linear_resources('--channels', 78, '--only', 'qkv', 'fc1')
    for kernel, executed in ((qkv, 3300), (fc1, 9800)):
        assert kernel['products'] and kernel['spilled'] == 0
        assert kernel['shared'] <= 113 * 1024 and kernel['executed'] <= executed


@pytest.mark.slow
@pytest.mark.parametrize('capability, shared, spilled, dtype, rows', [
    (80, 163 * 1024, 200, 'fp16', 65536), (80, 163 * 1024, 0, 'fp32', 3072), (90, 227 * 1024, 0, 'bf16', 65536),
    (90, 227 * 1024, 0, 'fp16', 3072), (120, 99 * 1024, 200, 'bf16', 65536)])
def test_all_projections(linear_resources, capability, shared, spilled, dtype, rows):
    found = linear_resources('--capability', capability, '--dtype', dtype, '--rows', rows)
    assert len(found) == 16 and all(bool(kernel['products']) == (dtype != 'fp32') for kernel in found)
    assert max(kernel['shared'] for kernel in found) <= shared, 'what a program may have on such a card'
    assert max(kernel['spilled'] for kernel in found) <= spilled
