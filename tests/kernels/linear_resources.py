"""What the compiler makes of the kernel of projections, as resources.py does of those of attention.

    python tests/kernels/linear_resources.py [--capability 90] [--dtype bf16] [--rows 65536] [--tiles ROWS=64]

It is compiled for the four projections of HRFormer-B's blocks in the deployment form: of each stream, at 512x1024 and
batch 2, where the first has 65,536 places.
"""

import argparse
import json
from dataclasses import asdict, dataclass

import resources
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from hrformer_mm.kernels import linear, linear_kernel

STREAMS = {78: 2, 156: 4, 312: 8, 624: 16}  # channels and heads


@dataclass
class Projection:
    name: str
    dtype: str
    rows: int
    channels: int
    outputs: int
    kernel: str
    programs: int
    warps: int
    registers: int
    spilled: int
    shared: int
    products: int
    executed: int
    bytes: int

    resident = resources.Kernel.resident
    issue_us = resources.Kernel.issue_us

    @property
    def memory_us(self) -> float:
        """Its maps at 4.8 TB/s."""
        return self.bytes / 4.8e6


def projections(channels, heads):
    """Name, channels, outputs and what goes along: norm, GELU, residual sum."""
    padded = heads * (-(-channels // heads // 8) * 8)
    yield 'qkv', channels, 3 * padded, dict(NORM=True, GELU=False, RESIDUAL=False)
    yield 'proj', padded, channels, dict(NORM=False, GELU=False, RESIDUAL=True)
    yield 'fc1', channels, 4 * channels, dict(NORM=True, GELU=True, RESIDUAL=False)
    yield 'fc2', 4 * channels, channels, dict(NORM=False, GELU=True, RESIDUAL=True)


def compiled(name, rows, channels, outputs, along, dtype, capability=90, changes=None):
    """One of them."""
    of_torch = resources.DTYPES[dtype]
    kernel, programs, options = linear.tiles(rows, channels, outputs, of_torch, along['NORM'])
    options.update(changes or {})
    kernel_function = getattr(linear_kernel, kernel)
    constants = dict(options, K=channels, O=outputs, NORM_BIAS=along['NORM'], BIAS=True, **along,
                     **linear.product_options(torch.empty(0, dtype=of_torch, device='meta')))
    names = kernel_function.arg_names
    signature = {n: 'constexpr' if n in constants else 'i32' if n == 'rows' else 'fp32' if n == 'eps' else f'*{dtype}'
                 for n in names}
    aligned = {(i, ): [['tt.divisibility', 16]] for i, n in enumerate(names) if signature[n][0] == '*'}
    source = ASTSource(kernel_function, signature, {n: constants[n] for n in names if n in constants}, aligned)
    made = triton.compile(source, target=GPUTarget('cuda', capability, 32),
                          options={k: constants[k] for k in ('num_warps', 'num_stages', 'maxnreg') if k in constants})
    usage, code = resources._read(made.asm['cubin'])
    loops, count = resources._loops(code)
    trips = constants['SHARE'] if 'SHARE' in constants else -(-channels // constants['BLOCK'])
    if changes:
        programs = -(-rows // options['ROWS']) * -(-(-(-outputs // options['COLUMNS'])) // options.get('SHARE', 1))
    size = (rows * (channels + outputs * (1 + along['RESIDUAL'])) + channels * outputs) * of_torch.itemsize
    return Projection(name, dtype, rows, channels, outputs, f"{kernel[7:]} {options['ROWS']}x{options['COLUMNS']}x"
                      f"{options['BLOCK']}", programs, options['num_warps'], usage['REG'], usage['STACK'],
                      made.metadata.shared, made.asm['ptx'].count('mma'), count + (trips - 1) * sum(loops), size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--capability', type=int, default=90)
    parser.add_argument('--dtype', choices=resources.DTYPES, nargs='+', default=['bf16'])
    parser.add_argument('--channels', type=int, nargs='+', default=list(STREAMS))
    parser.add_argument('--rows', type=int, default=65536, help='of the first stream')
    parser.add_argument('--tiles', nargs='+', default=[], metavar='NAME=NUMBER', help='other tiles than those taken')
    parser.add_argument('--only', nargs='+', default=['qkv', 'proj', 'fc1', 'fc2'])
    parser.add_argument('--json', action='store_true')
    arguments = parser.parse_args()
    changes = {name: int(value) for name, value in (pair.split('=') for pair in arguments.tiles)}
    found = [compiled(name, arguments.rows // (channels // 78)**2 if channels >= 78 else arguments.rows, *sizes, dtype,
                      arguments.capability, changes)
             for dtype in arguments.dtype for channels in arguments.channels
             for name, *sizes in projections(channels, STREAMS.get(channels, 2)) if name in arguments.only]
    if arguments.json:
        print(json.dumps([asdict(p) for p in found]))
        return
    print('| projection | rows | kernel, tile | programs x warps | registers | spilled | shared | resident | issue | memory |')
    print('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |')
    for p in found:
        print(f'| {p.name} {p.channels} to {p.outputs}, {p.dtype} | {p.rows} | {p.kernel} | {p.programs} x {p.warps} | '
              f'{p.registers} | {p.spilled} B | {p.shared / 1024:.0f} KiB | {p.resident} | {p.issue_us:.1f} us | '
              f'{p.memory_us:.1f} us |')


if __name__ == '__main__':
    main()
