"""Load the backbone of a config, and record the inputs and outputs of its blocks."""

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ...layers import HRFormerBlock
from ...models import HRFormer
from ..model import build_model, find_device, load_model


def load_network(cfg: Config, checkpoint: str, device: str | None) -> tuple[HRFormer, nn.Module]:
    """Load the backbone, in evaluation mode with frozen weights, and the data preprocessor of a model.

    Args:
        cfg (Config): A config of mmseg, mmpose, mmpretrain or mmdet.
        checkpoint (str): The weights of the model, or 'none' for untrained weights from a fixed seed.
        device (str, optional): Device of the model. Default: the first GPU, or the CPU.

    Raises:
        FileNotFoundError, ValueError: If the checkpoint is missing or does not fit, if the device cannot be used, or if
            the model has no HRFormer.
    """
    device = find_device(device)
    if checkpoint == 'none':
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model(cfg)
    else:
        model = load_model(cfg, checkpoint)
    backbone = next((module for module in model.modules() if isinstance(module, HRFormer)), None)
    if backbone is None:
        found = type(getattr(model, 'backbone', model))
        raise ValueError(
            f'{cfg.filename}: model.backbone is a {found.__name__} of {found.__module__.split(".")[0]}, but must be of '
            "type 'hrformer_mm.HRFormer'"
        )
    return backbone.to(device).requires_grad_(False), model.data_preprocessor.to(device)


def preprocess(image: np.ndarray, preprocessor: nn.Module) -> Tensor:
    """Normalize and pad an image (H, W) or (H, W, C), BGR, as the model does; returns (1, C, H', W')."""
    image = image if image.ndim == 3 else image[..., None]
    data = dict(inputs=[torch.from_numpy(image.transpose(2, 0, 1))], data_samples=[BaseDataElement()])
    return preprocessor(data, training=False)['inputs']


def find_blocks(backbone: HRFormer, stage: int, module: int, block: int) -> list[HRFormerBlock]:
    """Find the block with the same number in each branch of a module.

    Raises:
        ValueError: If a number is invalid. The message lists the allowed numbers.
    """
    check_number('stage', stage, range(2, 5))
    modules = backbone.get_submodule(f'stage{stage}')
    check_number('module', module, range(len(modules)))
    check_number('block', block, range(len(modules[module].branches[0])))
    return [branch[block] for branch in modules[module].branches]


def check_number(name: str, value: int, allowed: range) -> None:
    """Raise a ValueError unless `value` is allowed."""
    if value not in allowed:
        raise ValueError(f'the {name} is {value}, but must be one of {", ".join(map(str, allowed))}')


def run(backbone: HRFormer, images: Tensor) -> tuple[list[Tensor], dict[nn.Module, Tensor]]:
    """Run the backbone on normalized images (N, C, H, W).

    Returns:
        tuple[list[Tensor], dict[HRFormerBlock, Tensor]]: The last map of each branch, (N, C_i, H_i, W_i), and the input
        of each block. The last map is an output of the backbone. For a branch that is not in `out_indices`, it is the
        output of the last block, since the final exchange between branches computes only the outputs.
    """
    inputs, outputs = {}, {}

    def record(block: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        inputs[block], outputs[block] = args[0], output

    blocks = [module for module in backbone.modules() if isinstance(module, HRFormerBlock)]
    handles = [block.register_forward_hook(record) for block in blocks]
    last = dict(zip(backbone.out_indices, backbone.forward(images)))  # a call of a compiled backbone runs no hooks
    for handle in handles:
        handle.remove()
    return [last.get(i, outputs[branch[-1]]) for i, branch in enumerate(backbone.stage4[-1].branches)], inputs
