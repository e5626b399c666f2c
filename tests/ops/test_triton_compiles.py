"""The kernels are compiled to machine code for GPUs, which needs none: what the interpreter takes, a compiler may not."""

import json

import pytest

pytest.importorskip('triton')

CODE = '''
import json, os, sys
os.environ['TRITON_INTERPRET'] = '0'
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from hrformer_mm.ops import triton_backward, triton_forward
from hrformer_mm.ops.triton_attention import _Launch

DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}
MAPS = ('qkv', 'out', 'grad_out', 'grad_qkv')
INTEGERS = triton_forward.SIZES
found = []
for capability, dtype, d, window, padding, mask in json.loads(sys.argv[1]):
    def empty(*shape):
        return torch.empty(shape, dtype=DTYPES[dtype], device='meta')

    places = window * window
    launch = _Launch(empty(1, 30, 30, 6 * d), empty(6 * d), empty(2, places, places), 2, (window, window), padding,
                     mask, 0.5)
    options = launch.options
    kernels = [triton_forward.forward]
    if launch.blocks == 1:
        kernels += [triton_backward.backward_whole]
    else:
        kernels += [getattr(triton_backward, 'backward_' + name) for name in ('queries', 'keys', 'bias')]
    for kernel in kernels:
        names = kernel.arg_names
        signature = {name: 'constexpr' if name in options else f'*{dtype}' if name in MAPS else 'i32' if name in INTEGERS
                     else 'fp32' if name == 'scale' else '*fp32' for name in names}
        aligned = {(i, ): [['tt.divisibility', 16]] for i, name in enumerate(names) if signature[name][0] == '*'}
        source = ASTSource(kernel, signature, {name: options[name] for name in names if name in options}, aligned)
        compiled = triton.compile(source, target=GPUTarget('cuda', capability, 32),
                                  options={name: options[name] for name in ('num_warps', 'num_stages')})
        found.append((kernel.__name__, len(compiled.asm['cubin']), compiled.metadata.shared, compiled.asm['ptx'].count('mma')))
print(json.dumps(found))
'''


def compile_all(run_python, cases):
    found = json.loads(run_python(CODE, json.dumps(cases)).splitlines()[-1])
    assert all(size > 0 for _, size, _, _ in found)
    # What a program may have on all cards since compute capability 8.0, at least twice over on those of servers.
    assert max(shared for _, _, shared, _ in found) <= 64 * 1024
    return found


def test_tensor_cores_are_used_for_sixteen_bits_alone(run_python):
    """7x7 windows of HRFormer-B in training, with padding."""
    found = compile_all(run_python, [[90, 'bf16', 39, 7, [1, 2, 1, 2], False]])
    assert [name for name, *_ in found] == ['forward', 'backward_whole'] and all(products for *_, products in found)
    found = compile_all(run_python, [[80, 'fp32', 18, 3, [0, 0, 0, 0], False]])
    assert not any(products for *_, products in found)


@pytest.mark.slow
@pytest.mark.parametrize('capability, dtype, kernels', [(80, 'fp32', 4), (80, 'fp16', 5), (90, 'bf16', 5), (120, 'bf16', 5)])
def test_all_kernels(run_python, capability, dtype, kernels):
    cases = [[capability, dtype, d, window, [1, 1, 0, 0], mask]
             for d, window, mask in ((18, 7, True), (32, 7, False), (39, 15, False), (64, 15, True))]
    assert len({name for name, *_ in compile_all(run_python, cases)}) == kernels
