"""The longest row of kernels in a forward pass where independent parts run side by side, counted without a GPU.

    python tests/gpu_critical_path.py

As gpu_estimates.py counts: the form for inference of HRFormer-B on PyTorch's meta device, for 256x192. Of parts side by
side the one with the most kernels counts alone.
"""

import torch
from gpu_estimates import Count

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.layers import fusion
from hrformer_mm.models import hrformer
from hrformer_mm.ops import attention, block_backend, set_block_backend


def critical_path():
    """Kernels in a row; with branches side by side; and with the outputs of fusions side by side as well."""
    model = to_deploy(HRFormer(arch='base')).to('meta').to(torch.bfloat16)
    saved = dict(branches=0, fusions=0)

    def forked(part, counted):
        def run(calls):
            results, lengths = [], []
            for call in calls:
                before = counted.launches
                results.append(call())
                lengths.append(counted.launches - before)
            saved[part] += sum(lengths) - max(lengths)
            return results
        return run

    counted = Count()
    hrformer.side_by_side, fusion.side_by_side = forked('branches', counted), forked('fusions', counted)
    with torch.no_grad(), counted:
        model(torch.empty(1, 3, 256, 192, device='meta', dtype=torch.bfloat16))
    return counted.launches, counted.launches - saved['branches'], counted.launches - sum(saved.values())


def main():
    attention._choose = lambda device, shifted: 'triton'
    block_backend.usable = lambda device: True
    for backend in ('torch', 'triton'):
        set_block_backend(backend)
        print('blocks by {}: {} in a row, {} with branches side by side, {} with the outputs of fusions too'.format(
            backend, *critical_path()))


if __name__ == '__main__':
    main()
