"""What is asked of a benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import torch

DTYPES = {'float32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
DEVICES = ('cpu', 'cuda')


@dataclass(frozen=True)
class Options:
    """What to run, and on what.

    Args:
        arch (str): 'tiny', 'small' or 'base'.
        sizes (Sequence[tuple[int, int]]): Heights and widths of the images, multiples of 32: mmpose takes no other.
        batch (int): Images at a time.
        train (bool): Whether to time forward and backward passes, with our ways to save memory.
        ocr (bool): Whether to time HRFormer + OCR, from image to logits of its size.
        attention (bool): Whether to time window attention alone, on the map of stride 4 of one size.
        context (bool): Whether to time mmpretrain's Swin-S and HRNet-W48 as well.
        deploy (bool): Whether to time the deployment form as well; there is none in training.
        compile (bool): Whether to time compiled contenders as well.
        graphs (bool): Whether to time the deployment form in CUDA graphs as well; on the CPU there are none.
        dtype (str): 'float32', 'bf16' or 'fp16' (CUDA alone): by autocast; the deployment form has its weights and
            images in it.
        device (str): 'cpu' or 'cuda'.
        runs (int): Counted runs of each contender.

    Raises:
        ValueError: If an option is unknown, or does not go with another.
    """
    arch: str = 'base'
    sizes: Sequence[tuple[int, int]] = ((256, 192), )
    batch: int = 1
    train: bool = False
    ocr: bool = False
    attention: bool = False
    context: bool = False
    deploy: bool = True
    compile: bool = False
    graphs: bool = False
    dtype: str = 'float32'
    device: str = 'cpu'
    runs: int = 10

    def __post_init__(self) -> None:
        for size in self.sizes:
            for name, value in zip(('height', 'width'), size):
                if value < 32 or value % 32:
                    raise ValueError(f'size: the {name} is {value}, but must be a multiple of 32')
            if self.train and self.batch * size[0] * size[1] == 32 * 32:
                raise ValueError('batch is 1 and the size 32x32, but in training batch norm needs more than one place '
                                 'of the coarsest map: take more of either')
        for name, allowed in (('dtype', DTYPES), ('device', DEVICES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(allowed)}")
        if self.dtype == 'fp16' and self.device == 'cpu':
            raise ValueError("dtype is 'fp16', which is for CUDA alone: take bf16, or the device cuda")
        if self.device == 'cuda' and not torch.cuda.is_available():
            raise ValueError("device is 'cuda', but torch finds no CUDA device")
        if self.ocr and (self.train or self.context):
            other = 'train' if self.train else 'context'
            raise ValueError(f'ocr is for inference of HRFormer alone: leave {other} out')

        if self.attention and (len(self.sizes) > 1 or self.ocr or self.train or self.context or self.compile):
            raise ValueError('attention is timed forward and backward, at one size, by itself: leave out other sizes, '
                             'ocr, train, context and compile')

    @property
    def torch_dtype(self) -> torch.dtype:
        return DTYPES[self.dtype]

    @property
    def autocast(self) -> Optional[torch.dtype]:
        """What the plain models compute in, or None for the dtype of their weights."""
        return None if self.dtype == 'float32' else self.torch_dtype
