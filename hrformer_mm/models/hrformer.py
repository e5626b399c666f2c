"""HRFormer backbone (NeurIPS 2021, arXiv 2110.09408)."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..arguments import check_bool, check_choice, check_config, check_int, check_ints, check_probability
from ..layers import CHECKPOINTING, UPSAMPLES, Bottleneck, CheckpointedSequential, norm_layer
from ..ops.attention import IMPLEMENTATIONS
from ..registry import MODELS
from ..weights import accept_layouts, accept_whole_files, check_pretrained
from .arch import Arch, WindowSizes, from_arch, from_extra
from .inputs import check_batch_norm, check_image
from .layer_depth import layer_depth
from .modules import HRModule, transition

STEM_CHANNELS = 64


@MODELS.register_module()
class HRFormer(BaseModule):
    """High-Resolution Transformer with up to four parallel branches at strides 4, 8, 16 and 32.

    Args:
        arch (str | dict, optional): Variant: 'tiny', 'small', 'base', or a dict with `num_modules` (four numbers),
            `channels` and `num_heads` (one number per branch), and optionally `num_blocks`, `mlp_ratio` and
            `drop_path_rate`. Default: 'base'.
        window_sizes (int | Sequence, optional): Size of the attention windows: one for all branches, or four, one per
            branch. Each is a number or a (height, width) pair. Default: 7.
        drop_path_rate (float, optional): Drop path rate of the deepest block. The rate increases linearly from 0.
            Default: the rate of `arch`.
        out_indices (Sequence[int], optional): Branches to return, from 0 (stride 4) to 3 (stride 32). The last module
            does not compute the others. Default: (0, 1, 2, 3).
        in_channels (int): Number of image channels. Default: 3.
        fuse_upsample (str, optional): Upsampling in the fusion of branches. Weights for classification and
            segmentation require 'nearest'; weights for pose estimation and mmpose's weights require 'bilinear'.
            Default: 'nearest'.
        with_rpe (bool, optional): Add a relative position bias to attention. Default: True.
        with_pad_mask (bool, optional): Ignore padded positions in attention. No released weights were trained with it.
            Default: False.
        with_dwconv (bool): Include the 3x3 depth-wise convolution of the FFN, which exchanges information across
            windows (paper, table 7). Default: True.
        shift_windows (bool): Shift the windows of every other block by half their size, as Swin does. In the paper,
            this replaces the depth-wise convolution (table 9). Default: False.
        attention (str, optional): Implementation of attention: 'sdpa', PyTorch's ``scaled_dot_product_attention``, or
            'plain', the formula, which supports higher-order derivatives. Default: 'plain' on the CPU, 'sdpa'
            elsewhere.
        with_cp (bool | str): Activation checkpointing. True recomputes each block in the backward pass. 'cheap'
            recomputes norms, activations and attention, and saves the outputs of convolutions and projections.
            Default: False.
        norm_cfg (dict): Config of the norm after each convolution. Default: dict(type='BN').
        norm_eval (bool): Keep batch norms in evaluation mode in training. Default: False.
        frozen_stages (int): Number of stages to freeze. 0 freezes only the stem, -1 nothing. Default: -1.
        extra (dict, optional): Structure in the form of mmpose's configs, instead of `arch` and `window_sizes`. The
            defaults are then those of mmpose: bilinear upsampling and only branch 0. Other arguments override
            `drop_path_rate`, `with_rpe`, `with_pad_mask`, `upsample` and `stage4.multiscale_output` of `extra`.
        compile (bool | dict): Compile the backbone with ``torch.compile`` at the first call for each input size, which
            takes minutes. A dict holds the arguments of ``torch.compile``; True means dict(dynamic=False). mmengine's
            own option `compile` compiles `train_step` including its logging, and nothing in tests. Default: False.
        init_cfg (dict | list, optional): Initialization config of mmengine. `dict(type='Pretrained',
            checkpoint=SOURCE)` loads weights of any supported layout from a file, a URL or a name that
            `hrformer-mm weights` lists. Default: PyTorch's initialization, as in the authors' ImageNet training.
        pretrained (str, optional): File or URL of pretrained weights, the older form of `init_cfg`. mmseg's
            `EncoderDecoder(pretrained=…)` passes it to its backbone.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or incompatible with another one.
    """

    _checkpoint_filter = staticmethod(accept_whole_files)  # mmpretrain's ImageClassifier registers it as a hook

    def __init__(
        self,
        arch: str | Mapping[str, Any] | None = None,
        window_sizes: WindowSizes | None = None,
        drop_path_rate: float | None = None,
        out_indices: Sequence[int] | None = None,
        in_channels: int = 3,
        fuse_upsample: str | None = None,
        with_rpe: bool | None = None,
        with_pad_mask: bool | None = None,
        with_dwconv: bool = True,
        shift_windows: bool = False,
        attention: str | None = None,
        with_cp: bool | str = False,
        norm_cfg: dict[str, Any] = dict(type='BN'),
        norm_eval: bool = False,
        frozen_stages: int = -1,
        extra: Mapping[str, Any] | None = None,
        compile: bool | Mapping[str, Any] = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        pretrained: str | None = None,
    ) -> None:
        if pretrained is not None:
            if not isinstance(pretrained, (str, PathLike)):
                raise TypeError(f'pretrained must be a file or a URL, but is {pretrained!r}')
            if init_cfg is not None:
                raise ValueError(f'pretrained is {pretrained!r}, but init_cfg is given too: leave out one of them')
            init_cfg = dict(type='Pretrained', checkpoint=str(pretrained))
        super().__init__(init_cfg)
        if extra is None:
            variant = from_arch('base' if arch is None else arch, 7 if window_sizes is None else window_sizes)
            defaults = dict(fuse_upsample='nearest', out_indices=(0, 1, 2, 3), with_rpe=True, with_pad_mask=False)
        else:
            for name, duplicate in (('arch', arch), ('window_sizes', window_sizes)):
                if duplicate is not None:
                    raise ValueError(f'{name} is {duplicate!r}, but extra is given too: leave out one of them')
            variant, defaults = from_extra(extra)
        defaults['drop_path_rate'] = variant.drop_path_rate
        given = dict(
            fuse_upsample=fuse_upsample,
            out_indices=out_indices,
            with_rpe=with_rpe,
            with_pad_mask=with_pad_mask,
            drop_path_rate=drop_path_rate,
        )
        settings = {**defaults, **{name: value for name, value in given.items() if value is not None}}

        options = dict(
            with_rpe=settings['with_rpe'],
            with_pad_mask=settings['with_pad_mask'],
            with_dwconv=with_dwconv,
            shift_windows=shift_windows,
        )
        for name, value in (*options.items(), ('norm_eval', norm_eval)):
            check_bool(name, value)
        if shift_windows and options['with_pad_mask']:
            raise ValueError(
                'shift_windows is True, but is incompatible with with_pad_mask=True, because a window at the border '
                'may contain only padding: leave out one of them'
            )
        if shift_windows and any(stage.num_blocks[0] < 2 for stage in variant.stages):
            raise ValueError(
                'shift_windows is True, but shifts only every second block, and num_blocks is 1: '
                'set num_blocks=2 or more'
            )
        check_choice('with_cp', with_cp, CHECKPOINTING)
        check_choice('attention', attention, (None, *IMPLEMENTATIONS))
        if not isinstance(compile, (bool, Mapping)):
            raise TypeError(f'compile must be True, False or a dict of arguments of torch.compile, but is {compile!r}')
        if compile is not False and with_cp:
            raise ValueError(
                f'with_cp is {with_cp!r}, but is incompatible with compile, because the compiler itself decides what '
                'to recompute in the backward pass: leave out one of them'
            )
        check_choice('fuse_upsample', settings['fuse_upsample'], UPSAMPLES)
        check_choice('frozen_stages', frozen_stages, range(-1, 5))
        _check_initialization(init_cfg)
        self.init_cfg = check_pretrained(init_cfg)

        self.in_channels = check_int('in_channels', in_channels)
        self.fuse_upsample = settings['fuse_upsample']
        self.out_indices = _check_indices(settings['out_indices'])
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self._build(
            variant,
            check_probability('drop_path_rate', settings['drop_path_rate']),
            norm_cfg,
            fuse_upsample=settings['fuse_upsample'],
            with_cp=with_cp,
            attention=attention,
            **options,
        )
        accept_layouts(self, 'backbone.')
        self._freeze()
        if compile is not False:
            self._compile(dict(dynamic=False) if compile is True else compile)

    def _compile(self, arguments: Mapping[str, Any]) -> None:
        try:
            self.compile(**arguments)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f'compile is {dict(arguments)!r}, but must hold arguments of torch.compile, for example '
                f"dict(mode='max-autotune', dynamic=False): {error}"
            ) from error

    def _build(self, variant: Arch, drop_path_rate: float, norm_cfg: dict[str, Any], **options: Any) -> None:
        self.conv1 = nn.Conv2d(self.in_channels, STEM_CHANNELS, 3, 2, 1, bias=False)
        self.bn1 = norm_layer(norm_cfg, STEM_CHANNELS)
        self.conv2 = nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, 3, 2, 1, bias=False)
        self.bn2 = norm_layer(norm_cfg, STEM_CHANNELS)
        bottlenecks, channels = [], STEM_CHANNELS
        for _ in range(variant.bottlenecks):
            bottlenecks.append(Bottleneck(channels, variant.bottleneck_channels, norm_cfg))
            channels = variant.bottleneck_channels * Bottleneck.expansion
        self.layer1 = CheckpointedSequential(*bottlenecks, with_cp=options['with_cp'])

        depth = sum(stage.num_modules * stage.num_blocks[0] for stage in variant.stages)
        rates = iter([drop_path_rate * i / max(depth - 1, 1) for i in range(depth)])
        previous: tuple[int, ...] = (channels,)
        for number, stage in enumerate(variant.stages, start=2):
            self.add_module(f'transition{number - 1}', transition(previous, stage.channels, norm_cfg))
            modules = []
            for i in range(stage.num_modules):
                last = number == 4 and i == stage.num_modules - 1
                modules.append(
                    HRModule(
                        stage,
                        self.out_indices if last else range(number),
                        [next(rates) for _ in range(stage.num_blocks[0])],
                        norm_cfg,
                        **options,
                    )
                )
            self.add_module(f'stage{number}', nn.Sequential(*modules))
            previous = stage.channels

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps of images.

        Args:
            x (Tensor): Images of shape (N, in_channels, H, W) in the dtype of the weights. H and W may be any positive
                numbers; N may be 0.

        Returns:
            tuple[Tensor]: For each branch i of `out_indices`, a map of shape (N, channels[i], ceil(H / 2**(i + 2)),
            ceil(W / 2**(i + 2))) in channels-last memory.

        Raises:
            TypeError: If `x` is not a tensor or has the wrong dtype.
            ValueError: If `x` has the wrong shape or, in training, if batch norms get one value per channel.
        """
        check_image(x, self.in_channels, self)
        n, _, height, width = x.shape
        check_batch_norm('the coarsest branch', n * ((height + 31) // 32) * ((width + 31) // 32), self)
        x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)  # vmap does not support memory_format
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        maps = [self.layer1(x)]
        for number in (2, 3, 4):
            transition = self.get_submodule(f'transition{number - 1}')
            # The new branch starts from the coarsest old branch.
            maps = [
                step(maps[min(i, len(maps) - 1)]) if step is not None else maps[i] for i, step in enumerate(transition)
            ]
            maps = self.get_submodule(f'stage{number}')(maps)
        return tuple(maps)

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return the depth of a parameter and the number of depths, see :func:`layer_depth`."""
        return layer_depth(self, param_name, prefix)

    def _freeze(self) -> None:
        parts = []
        if self.frozen_stages >= 0:
            parts += [self.conv1, self.bn1, self.conv2, self.bn2]
        if self.frozen_stages >= 1:
            parts += [self.layer1, self.transition1]
        for number in range(2, self.frozen_stages + 1):
            parts.append(self.get_submodule(f'stage{number}'))
            if number < 4:
                parts.append(self.get_submodule(f'transition{number}'))
        for part in parts:
            part.eval()
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> 'HRFormer':
        """Set the training mode. Frozen stages and, with `norm_eval`, all batch norms remain in evaluation mode."""
        super().train(mode)
        self._freeze()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


def _check_indices(indices: Any) -> tuple[int, ...]:
    branches = check_ints('out_indices', indices, lowest=0)
    if list(branches) != sorted(set(branches)) or branches[-1] > 3:
        raise ValueError(
            f'out_indices is {branches!r}, but must list branches from 0 to 3 in ascending order, each once'
        )
    return branches


def _check_initialization(init_cfg: Any) -> None:
    if not isinstance(init_cfg, (list, tuple)):
        if init_cfg is not None:
            check_config('init_cfg', init_cfg, WEIGHT_INITIALIZERS, "dict(type='Pretrained', checkpoint=FILE)")
        return
    for i, step in enumerate(init_cfg):
        check_config(f'init_cfg[{i}]', step, WEIGHT_INITIALIZERS, "dict(type='Constant', val=0)")
