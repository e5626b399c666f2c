"""What the compiler makes of the kernels of fusions, norms, GELUs and depth-wise convolutions, with no GPU.

    python tests/kernels/block_resources.py [--capability 90] [--channels 312] [--size 128 256] [--batch 2]

Each kernel is compiled with the launch parameters that it gets in a training step for a map of so many channels, here
HRFormer-B's of stride 4 at 512x1024 within the feed-forward network; `depthwise` without a norm and `fuse` are those of
inference.
"Bytes" are those of all that it reads and writes, once, and their time is at 4.8 TB/s; "issue" is as in `resources.py`.
"""

import argparse
import json
from dataclasses import asdict, dataclass

from resources import DTYPES, ISSUED_PER_SECOND, REGISTERS, WARPS, _loops, _read

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from hrformer_mm.kernels import batch_norm, depthwise, fusion

BANDWIDTH = 4.8e12
TYPES = {torch.float32: 'fp32', torch.float16: 'fp16', torch.bfloat16: 'bf16'}
COMPILER = ('num_warps', 'maxnreg')


@dataclass
class Kernel:
    name: str
    switches: str  # those that are set
    programs: int
    warps: int
    registers: int
    spilled: int  # bytes of a thread
    shared: int  # bytes of a program
    bytes: int  # of the maps and vectors that the launch reads and writes
    executed: int  # instructions of a warp

    @property
    def resident(self) -> int:
        """Programs on a multiprocessor."""
        return min(REGISTERS // (-(-self.registers // 8) * 8 * 32 * self.warps), WARPS // self.warps)

    @property
    def issue_us(self) -> float:
        return 1e6 * self.executed * self.warps * self.programs / ISSUED_PER_SECOND


def launches(dtype, channels, size, batch):
    """(kernel, programs, arguments, options) of all that a training step takes, which is not run."""
    found = []

    def record(kernel, programs, *arguments, **options):
        found.append((kernel, programs, arguments, options))

    def empty(*shape, dtype=torch.float32):
        return torch.empty(shape, dtype=dtype, device='meta')

    originals = batch_norm.launch, depthwise.launch, fusion.launch
    batch_norm.launch = depthwise.launch = fusion.launch = record
    try:
        x, stats = empty(batch, *size, channels, dtype=DTYPES[dtype]), empty(5, channels)
        vectors, weight = [empty(channels) for _ in range(4)], empty(channels, 1, 3, 3)
        own, *coarser = (empty(batch, channels, size[0] // n, size[1] // n, dtype=DTYPES[dtype]) for n in (1, 2, 4, 8))
        fusion._fuse(own, coarser, True)
        depthwise._depthwise(x, None, weight, vectors[0], True)
        batch_norm._finish(batch_norm._moments(x), *vectors, 0.1, 1e-5)
        depthwise._depthwise(x, stats, weight, vectors[0], False)
        batch_norm._gelu(x, stats)
        for with_output in (False, True):
            batch_norm._gelu_sums(x, x, stats, with_output)
        depthwise._backward(x, x, stats, weight)
        for through_gelu in (True, False):
            batch_norm._gelu_backward(x, x, stats, vectors[0], through_gelu)
    finally:
        batch_norm.launch, depthwise.launch, fusion.launch = originals
    return found


def trips(kernel, sizes, options):
    """How often a program goes through its loop."""
    share, rows = sizes.get('share', 1), options.get('ROWS', 1)
    return {'depthwise': share + 2, 'statistics': share / (4 * rows)}.get(kernel.__name__, share / rows)


def compile_launch(kernel, programs, arguments, options, capability):
    names = kernel.arg_names[:len(arguments)]
    constants = {name: value for name, value in options.items() if name not in COMPILER}
    signature = {name: f'*{TYPES[v.dtype]}' if isinstance(v, torch.Tensor) else 'i32' if isinstance(v, int) else 'fp32'
                 for name, v in zip(names, arguments)}
    aligned = {(i, ): [['tt.divisibility', 16]] for i, name in enumerate(names) if signature[name][0] == '*'}
    made = triton.compile(ASTSource(kernel, {**signature, **dict.fromkeys(constants, 'constexpr')}, constants, aligned),
                          target=GPUTarget('cuda', capability, 32),
                          options={name: options[name] for name in COMPILER if name in options})
    usage, code = _read(made.asm['cubin'])
    loops, count = _loops(code)
    executed = count + round((trips(kernel, dict(zip(names, arguments)), options) - 1) * max(loops, default=0))
    moved = [v.numel() * v.element_size() for v in arguments if isinstance(v, torch.Tensor)]
    if not options.get('NORM', True):
        del moved[1]  # the map, in place of what there is not
    switches = ' '.join(name for name, value in constants.items() if value is True)
    return Kernel(f"{kernel.__module__.split('.')[-1].removesuffix('s').removesuffix('_kernel')}.{kernel.__name__}",
                  switches, programs, options['num_warps'], usage['REG'], usage['STACK'], made.metadata.shared,
                  sum(moved), executed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--capability', type=int, default=90)
    parser.add_argument('--channels', type=int, nargs='+', default=[312])
    parser.add_argument('--size', type=int, nargs=2, default=[128, 256])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--dtype', choices=DTYPES, default='bf16')
    parser.add_argument('--only', default='', help='kernels whose name contains this')
    parser.add_argument('--json', action='store_true')
    arguments = parser.parse_args()
    found = [compile_launch(*launch, arguments.capability) for channels in arguments.channels
             for launch in launches(arguments.dtype, channels, arguments.size, arguments.batch)
             if arguments.only in launch[0].__name__]
    if arguments.json:
        print(json.dumps([asdict(kernel) for kernel in found]))
        return
    print('| kernel | switches | programs x warps | registers | spilled | resident | bytes | at 4.8 TB/s | issue |')
    print('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
    for k in found:
        print(f'| {k.name} | {k.switches} | {k.programs} x {k.warps} | {k.registers} | {k.spilled} B | {k.resident} | '
              f'{k.bytes / 1e6:.0f} MB | {1e6 * k.bytes / BANDWIDTH:.0f} us | {k.issue_us:.0f} us |')


if __name__ == '__main__':
    main()
