"""Modules of stages 2 to 4, and the transitions between stages."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..layers import BranchFusion, CheckpointedSequential, HRFormerBlock, conv_norm
from .arch import Stage


class HRModule(nn.Module):
    """Module of stages 2 to 4: a sequence of blocks on each branch, followed by the fusion of the branches.

    Args:
        stage (Stage): Structure of the module.
        out_branches (Sequence[int]): Indices of the branches that the fusion computes.
        drop_paths (Sequence[float]): Drop path rate of each block; parallel branches share the rates.
        norm_cfg, fuse_upsample, shift_windows, with_cp: See :class:`HRFormer`.
        **block_options: Further arguments of :class:`HRFormerBlock`.
    """

    def __init__(
        self,
        stage: Stage,
        out_branches: Sequence[int],
        drop_paths: Sequence[float],
        norm_cfg: dict[str, Any],
        fuse_upsample: str,
        shift_windows: bool,
        with_cp: bool | str,
        **block_options: Any,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            CheckpointedSequential(
                *(
                    HRFormerBlock(*branch, drop_path, norm_cfg, shifted=shift_windows and i % 2 == 1, **block_options)
                    for i, drop_path in enumerate(drop_paths)
                ),
                with_cp=with_cp,
            )
            for branch in zip(stage.channels, stage.num_heads, stage.window_sizes, stage.mlp_ratios)
        )
        self.fuse_layers = BranchFusion(stage.channels, out_branches, norm_cfg, fuse_upsample)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Compute the output branches from all branches (N, C_i, H_i, W_i)."""
        return self.fuse_layers([branch(x) for branch, x in zip(self.branches, maps)])


def transition(old: Sequence[int], new: Sequence[int], norm_cfg: dict[str, Any]) -> nn.ModuleList:
    """Build the layers that lead to the branches of the next stage.

    They adapt the channels of the old branches, where None stands for equal channels, and derive the new branch from
    the coarsest old one.

    Args:
        old (Sequence[int]): Channels of the branches of the previous stage.
        new (Sequence[int]): Channels of the branches of the next stage.
        norm_cfg (dict): Config of the norm after each convolution.
    """
    steps: list[Any] = [
        None if a == b else nn.Sequential(*conv_norm(a, b, norm_cfg, kernel_size=3, relu=True))
        for a, b in zip(old, new)
    ]
    steps.append(
        nn.Sequential(nn.Sequential(*conv_norm(old[-1], new[-1], norm_cfg, kernel_size=3, stride=2, relu=True)))
    )
    return nn.ModuleList(steps)
