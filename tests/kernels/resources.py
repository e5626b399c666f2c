"""What the compiler makes of the attention kernels, with no GPU: registers, spills, shared memory, instructions.

    python tests/kernels/resources.py [--capability 90] [--window 7 15] [--head 18 32 39 40] [--dtype bf16]

Each kernel is compiled with the launch parameters that it gets for HRFormer-B's map of stride 4 at 512x1024, batch 2,
and two heads. "Issue" is the time in which 132 multiprocessors issue the instructions that are counted in the machine
code, one for each of four schedulers in every cycle at 1.98 GHz: a bound that no run is below.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ['TRITON_INTERPRET'] = '0'  # before triton is imported
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from hrformer_mm.kernels import attention, attention_forward
from hrformer_mm.ops import centred_padding

DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}
# Of a multiprocessor of an H200: registers, bytes of shared memory (1 KiB of each program is the system's), warps.
REGISTERS, SHARED, WARPS = 65536, 228 * 1024, 64
ISSUED_PER_SECOND = 132 * 4 * 1.98e9
TOOLS = Path(triton.backends.nvidia.__file__).parent / 'bin'
MAPS = ('qkv', 'value', 'out', 'grad_out', 'grad_qkv')


@dataclass
class Kernel:
    name: str
    dtype: str
    window: int
    head: int
    mask: bool
    programs: int  # of the launch
    warps: int
    registers: int
    spilled: int  # bytes of a thread
    shared: int  # bytes of a program
    products: int  # instructions of tensor cores in the code
    executed: int  # instructions that a warp executes, a window whole

    @property
    def resident(self) -> int:
        """Programs on a multiprocessor."""
        return min(REGISTERS // (-(-self.registers // 8) * 8 * 32 * self.warps), SHARED // (self.shared + 1024),
                   WARPS // self.warps)

    @property
    def issue_us(self) -> float:
        return 1e6 * self.executed * self.warps * self.programs / ISSUED_PER_SECOND


def launches(dtype, window, head, mask=False, shared=227 * 1024, size=(128, 256), heads=2, batch=2, padding=None):
    """(kernel, programs, options, windows in turn) of a forward and a backward pass, which are not run."""
    padding = centred_padding(size, (window, window)) if padding is None else padding
    places, found = window * window, []

    def empty(*shape):
        return torch.empty(shape, dtype=DTYPES[dtype], device='meta')

    def record(self, kernel, programs, *arguments, **tiles):
        share = arguments[-1] if 'share' in kernel.arg_names else 1
        options = {k: v for k, v in {**self.options, **tiles}.items() if v is not None}
        found.append((kernel, programs, options, share))

    call, of_device = attention._Launch.__call__, attention.shared_memory
    attention._Launch.__call__, attention.shared_memory = record, lambda device: shared
    try:
        qkv, value, bias = empty(batch, *size, 3 * heads * head), empty(3 * heads * head), empty(heads, places, places)
        settings = heads, (window, window), padding, mask, 0.5
        out, lse = attention._forward(qkv, value, bias, *settings)
        attention._backward(out, qkv, value, bias, out, lse, *settings)
    finally:
        attention._Launch.__call__, attention.shared_memory = call, of_device
    return found


def compile_kernel(kernel, options, dtype, capability=90):
    """Triton's compiled kernel."""
    names = kernel.arg_names
    signature = {name: 'constexpr' if name in options else f'*{dtype}' if name in MAPS else 'i32'
                 if name in attention_forward.SIZES else 'fp32' if name == 'scale' else '*fp32' for name in names}
    aligned = {(i, ): [['tt.divisibility', 16]] for i, name in enumerate(names) if signature[name][0] == '*'}
    source = ASTSource(kernel, signature, {name: options[name] for name in names if name in options}, aligned)
    return triton.compile(source, target=GPUTarget('cuda', capability, 32),
                          options={k: options[k] for k in ('num_warps', 'num_stages', 'maxnreg') if k in options})


def kernels(dtype, window, head, mask=False, capability=90, shared=227 * 1024):
    """All kernels of a forward and a backward pass."""
    for kernel, programs, options, share in launches(dtype, window, head, mask, shared):
        made = compile_kernel(kernel, options, dtype, capability)
        usage, code = _read(made.asm['cubin'])
        loops, count = _loops(code)
        trips = -(-window * options['PITCH'] // options['BLOCK'])
        executed = count
        if share > 1 or 'share' in kernel.arg_names:
            outer = max(loops, default=count)
            inner = sum(loops) - outer if len(loops) > 1 else 0
            executed = count + (share - 1) * outer + share * (trips - 1) * inner
        elif loops:
            executed = count + (trips - 1) * max(loops)
        yield Kernel(kernel.__name__, dtype, window, head, mask, programs, options['num_warps'], usage['REG'],
                     usage['STACK'], made.metadata.shared, made.asm['ptx'].count('mma'), executed)


def _read(cubin):
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(cubin)
        file.flush()
        usage, code = (subprocess.run([TOOLS / tool, option, file.name], capture_output=True, text=True,
                                      check=True).stdout
                       for tool, option in (('cuobjdump', '-res-usage'), ('nvdisasm', '-c')))
    return {name: int(value) for name, value in re.findall(r'(REG|STACK):(\d+)', usage)}, code


def _loops(code):
    """Instructions of each loop, and of the whole kernel; of a loop of a few no account is taken."""
    labels, count, loops = {}, 0, []
    for line in code.splitlines():
        if line.startswith('.L_'):
            labels[line.split(':')[0]] = count
        elif re.match(r'\s+/\*[0-9a-f]{4,}\*/\s+(?!NOP)', line):
            target = re.search(r'BRA.*`\((\.L_\w+)\)', line)
            if target and count - labels.get(target[1], count) > 50:
                loops.append(count - labels[target[1]])
            count += 1
    return loops, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--capability', type=int, default=90)
    parser.add_argument('--shared', type=int, default=227 * 1024, help='bytes that a program may have')
    parser.add_argument('--window', type=int, nargs='+', default=[7, 15])
    parser.add_argument('--head', type=int, nargs='+', default=[18, 32, 39, 40])
    parser.add_argument('--dtype', choices=DTYPES, nargs='+', default=['bf16'])
    parser.add_argument('--mask', action='store_true')
    parser.add_argument('--json', action='store_true')
    arguments = parser.parse_args()
    found = [kernel for dtype in arguments.dtype for window in arguments.window for head in arguments.head
             for kernel in kernels(dtype, window, head, arguments.mask, arguments.capability, arguments.shared)]
    if arguments.json:
        print(json.dumps([asdict(kernel) for kernel in found]))
        return
    print('| kernel | window, head, dtype | programs x warps | registers | spilled | shared | resident | issue |')
    print('| --- | --- | --- | --- | --- | --- | --- | --- |')
    for k in found:
        print(f'| {k.name} | {k.window}x{k.window}, {k.head}, {k.dtype} | {k.programs} x {k.warps} | {k.registers} | '
              f'{k.spilled} B | {k.shared / 1024:.0f} KiB | {k.resident} | {k.issue_us:.0f} us |')


if __name__ == '__main__':
    main()
