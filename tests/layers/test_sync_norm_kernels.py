"""A norm whose statistics two processes have in common, by Triton's kernels: as one process has them of all maps."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip('triton')

RUN = """
import sys
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hrformer_mm.layers import ffn
from hrformer_mm.ops import set_block_backend

def work(rank, folder):
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', rank=rank, world_size=2)
    set_block_backend('triton')
    case = torch.load(f'{folder}/case.pt', weights_only=False)
    norm, conv = torch.nn.SyncBatchNorm(4, momentum=0.3), case['conv']
    norm.load_state_dict(case['norm'])
    x, grad = (case[name].split(case['images'])[rank].requires_grad_(name == 'x') for name in ('x', 'grad'))
    out = ffn.norm_gelu_conv(x, norm, conv)
    assert 'NormGELUConv' in str(out.grad_fn.next_functions), out.grad_fn
    out.backward(grad)
    grads = [p.grad for module in (norm, conv) if module is not None for p in module.parameters()]
    torch.save((out.detach(), x.grad, grads, norm.state_dict()), f'{folder}/{rank}.pt')
    dist.destroy_process_group()

mp.start_processes(work, (sys.argv[1], ), nprocs=2, start_method='fork')
"""


@pytest.mark.slow
@pytest.mark.parametrize('images', [[1, 2], [3, 0]])
@pytest.mark.parametrize('kind', ['depthwise', 'pointwise', 'none'])
def test_two_processes(run_python, tmp_path, images, kind):
    conv = {'depthwise': nn.Conv2d(4, 4, 3, padding=1, groups=4), 'pointwise': nn.Conv2d(4, 5, 1), 'none': None}[kind]
    norm = nn.BatchNorm2d(4, momentum=0.3)
    nn.init.normal_(norm.weight)
    x, grad = torch.randn(3, 4, 3, 5) + 2, torch.randn(3, 5 if kind == 'pointwise' else 4, 3, 5)
    torch.save(dict(conv=conv, norm=norm.state_dict(), x=x, grad=grad, images=images), tmp_path / 'case.pt')
    run_python(RUN, tmp_path)
    outs, grads_x, grads, states = zip(*(torch.load(tmp_path / f'{rank}.pt') for rank in range(2)))

    norm, conv, x = copy.deepcopy(norm).double(), conv and conv.double(), x.double().requires_grad_()
    out = nn.functional.gelu(norm(x))
    out = out if conv is None else conv(out)
    out.backward(grad.double())
    expected = [p.grad for module in (norm, conv) if module is not None for p in module.parameters()]

    def check(found, expected):
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)

    check(torch.cat(outs), out.detach())
    check(torch.cat(grads_x), x.grad)
    for one, other, both in zip(*grads, expected):
        check(one + other, both)
    for state in states:
        for name, value in norm.state_dict().items():
            check(state[name], value.double())
