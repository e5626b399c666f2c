"""What a step of HRFormer moves and computes at least."""

import torch
from torch import Tensor, nn

from ...layers import WindowAttention
from ...models import HRFormer
from ...ops import set_attention_backend
from .backbones import mmpose_extra
from .options import Options


def step_bytes(options: Options, size: tuple[int, int]) -> int:
    """Bytes of maps and weights that a step of the backbone reads and writes where every convolution, projection and
    attention does so once for what it takes and gives, and norms, activations, paddings and sums go along with them.

    A backward pass is taken to move twice as much again: it reads both maps and the gradient of the one, and writes
    that of the other.
    """
    model = HRFormer(extra=mmpose_extra(options.arch)).to('meta').eval()
    moved = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        maps = [inputs[0], output]
        if isinstance(module, WindowAttention):
            # The first projection reads C channels and writes 3 C, attention reads these and writes C, the last
            # projection reads and writes C.
            moved += 10 * output.numel() + module.qkv.weight.numel() + module.proj.weight.numel()
        else:
            moved += sum(x.numel() for x in maps) + module.weight.numel()

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, WindowAttention)):
            module.register_forward_hook(count)
    previous = set_attention_backend('plain')
    try:
        with torch.no_grad():
            model(torch.empty(options.batch, model.in_channels, *size, device='meta'))
    finally:
        set_attention_backend(previous)
    return (3 if options.train else 1) * moved * options.torch_dtype.itemsize
