"""Trains a micro model in each of several processes, once with the formula for attention and once with the kernels.

    TRITON_INTERPRET=1 python -m torch.distributed.run --nproc-per-node 2 tests/kernels/several_processes.py OUT.JSON

The first process writes {wrapper: {backend: [[losses], [norms]]}}: losses averaged over all, and the weights' norms.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from torch.nn.parallel import DistributedDataParallel

import hrformer_mm  # noqa: F401
from hrformer_mm.kernels import usable
from hrformer_mm.layers import HRFormerBlock
from hrformer_mm.models import HRFormer
from hrformer_mm.ops import set_attention_backend

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
DEVICE = torch.device('cpu')  # gloo's, and the interpreter's


def shard(model):
    return FullyShardedDataParallel(model, auto_wrap_policy=ModuleWrapPolicy({HRFormerBlock}), use_orig_params=True,
                                    device_id=DEVICE)


def train(wrap, backend, steps=2):
    torch.manual_seed(0)
    set_attention_backend(backend)
    model = wrap(HRFormer(arch=MICRO, window_sizes=4, norm_eval=True).to(DEVICE).train())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(1 + dist.get_rank())
    losses = []
    for _ in range(steps):
        loss = sum(y.square().mean() for y in model(torch.randn(2, 3, 32, 24, device=DEVICE)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        dist.all_reduce(loss := loss.detach())
        losses.append(loss.item() / dist.get_world_size())
    squares = torch.tensor([p.detach().square().sum().item() for p in model.parameters()])
    if wrap is shard:  # a process has its part of the weights
        dist.all_reduce(squares)
    return losses, squares.sqrt().tolist()


if __name__ == '__main__':
    dist.init_process_group('gloo')
    torch.set_num_threads(1)
    assert usable(DEVICE)
    found = {name: {backend: train(wrap, backend) for backend in ('plain', 'triton')}
             for name, wrap in (('DDP', DistributedDataParallel), ('FSDP', shard))}
    if dist.get_rank() == 0:
        Path(sys.argv[1]).write_text(json.dumps(found))
    dist.destroy_process_group()
