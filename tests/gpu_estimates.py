"""What HRFormer-B moves and launches on a GPU, operator by operator, counted without one.

    python tests/gpu_estimates.py

Models run on PyTorch's meta device. Every operator that is no view counts as one launch, and as a read of its inputs
and a write of its outputs; batch norms in training read their inputs twice. "Fused" is what `step_bytes` counts: one
read and one write for each convolution, projection and attention. Times are of the bytes at 4.8 TB/s and of the launches
at 5 us each, the larger of which bounds an eager step; in CUDA graphs the second falls away. "Kept" are the bytes of the
tensors that autograd saves for the backward pass beside the parameters, each storage once. "Block kernels" are those of
`set_block_backend('triton')`, each operator one launch; those that sum are two, the second of which is small.
"""

from functools import partial

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import hrformer_mm
from hrformer_mm.models import HRFormer
from hrformer_mm.ops import attention, block_backend, set_block_backend
from hrformer_mm.commands.benchmark import Options
from hrformer_mm.commands.benchmark.backbones import mmpose_extra, mmpose_hrformer
from hrformer_mm.commands.benchmark.floors import step_bytes

BANDWIDTH, LAUNCH_US = 4.8e12, 5
VIEWS = ('view', 'reshape', 'permute', 'transpose', 'unsqueeze', 'slice', 'select', 'expand', 'detach', 'alias', 'split',
         'unbind', 't.', 'as_strided', 'empty', 'squeeze', 'unflatten', 'item', 'sym_')


class Count(TorchDispatchMode):
    launches = bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = str(function).split('.', 1)[1]
        if not name.startswith(VIEWS) and not name.startswith('_unsafe_view'):
            tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, torch.Tensor)]
            self.launches += 1
            self.bytes += sum(x.numel() * x.element_size() for x in tensors)
            self.bytes += sum(x.numel() * x.element_size() for x in read_again(name, args))
        if name.startswith('convolution.'):
            return like(out, args[0])
        if name.startswith('convolution_backward'):
            return like(out[0], args[1]), *out[1:]
        return out


def read_again(name, args):
    """What batch norms in training read for the statistics, or sums, before they read it for their output."""
    if name.startswith('native_batch_norm_backward'):
        return args[:2]
    return args[:1] if name.startswith('native_batch_norm.') and args[5] else ()


def like(x, given):
    """In channels-last memory if the map is that was given, as on a GPU; on the meta device convolutions forget it."""
    kept = x is not None and given.is_contiguous(memory_format=torch.channels_last) and not given.is_contiguous()
    return torch.empty_like(x, memory_format=torch.channels_last) if kept else x


def count(model, size, batch, train):
    """Of a step; and how many bytes are kept within it."""
    model.to('meta').to(torch.bfloat16).train(train)  # which gives nothing in mmpose
    x = torch.empty(batch, 3, *size, device='meta', dtype=torch.bfloat16)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor  # which lives on, so that no other gets its address
        return tensor

    with Count() as counted, torch.set_grad_enabled(train):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = model(x)
        own = {p.untyped_storage()._cdata for p in model.parameters()}
        kept = sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)
        if train:
            sum(y.float().square().mean() for y in outputs).backward()
    return counted, kept


def main():
    attention._choose = lambda device, shifted: 'triton'
    block_backend.usable = lambda device: True
    extra = mmpose_extra('base')
    peer, kept_by = mmpose_hrformer(), {}
    print('| step | model | launches | bytes | at 4.8 TB/s | launches at 5 us | fused |')
    print('| --- | --- | --- | --- | --- | --- | --- |')
    for size, batch, train in (((512, 1024), 2, False), ((256, 192), 1, False), ((256, 192), 64, False),
                               ((512, 1024), 2, True)):
        fused = step_bytes(Options('base', (size, ), batch, train=train, dtype='bf16'), size)
        models = {'mmpose': lambda: peer(mmpose_extra('base')), 'hrformer_mm': lambda: HRFormer(extra=extra)}
        if train:
            models['hrformer_mm, block kernels'] = models['hrformer_mm']
            for with_cp in ('cheap', True):
                models[f'the same, with_cp={with_cp!r}'] = partial(HRFormer, extra=extra, with_cp=with_cp)
        else:
            models['deployment form'] = lambda: hrformer_mm.to_deploy(HRFormer(extra=extra))
            models['deployment form, block kernels'] = models['deployment form']
        for name, build in models.items():
            set_block_backend('triton' if 'block kernels' in name or 'with_cp' in name else 'torch')
            found, kept = count(build(), size, batch, train)
            step = f"{size[0]}x{size[1]}, batch {batch}{', training' if train else ''}"
            print(f'| {step} | {name} | {found.launches} | {found.bytes / 1e9:.2f} GB | '
                  f'{1000 * found.bytes / BANDWIDTH:.2f} ms | {found.launches * LAUNCH_US / 1000:.1f} ms | '
                  f'{1000 * fused / BANDWIDTH:.2f} ms |', flush=True)
            if train:
                kept_by[name] = f'{kept / 1e9:.2f} GB'
    print(f"\n| kept | {' | '.join(kept_by)} |\n{'| --- ' * (1 + len(kept_by))}|\n| {step} | {' | '.join(kept_by.values())} |")


if __name__ == '__main__':
    main()
