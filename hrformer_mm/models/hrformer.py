"""The HRFormer backbone (NeurIPS 2021, arXiv 2110.09408)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Optional, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..arguments import check_bool, check_choice, check_config, check_int, check_probability
from ..layers import Bottleneck, HRFormerBlock, StreamFusion, conv_norm, norm_layer, run_blocks, side_by_side
from ..layers.fusion import UPSAMPLES
from ..registry import MODELS
from ..weights import accept_layouts, accept_whole_files, check_pretrained
from .arch import Arch, Stage, WindowSizes, from_arch, from_extra
from .inputs import check_image

STEM_CHANNELS = 64


class HRModule(nn.Module):
    """One module of stages 2 to 4: blocks on every stream, then exchange between the streams.

    Args:
        stage (Stage): What the module consists of.
        out_streams (Sequence[int]): The streams that the exchange computes.
        drop_paths (Sequence[float]): The rate of every block; the streams share them.
        norm_cfg, fuse_upsample, with_rpe, with_pad_mask, with_dwconv, shift_windows, with_cp: As in
            :class:`HRFormer`.
    """

    def __init__(self, stage: Stage, out_streams: Sequence[int], drop_paths: Sequence[float], norm_cfg: dict[str, Any],
                 fuse_upsample: str, with_rpe: bool, with_pad_mask: bool, with_dwconv: bool, shift_windows: bool,
                 with_cp: Union[bool, str]) -> None:
        super().__init__()
        self.with_cp = with_cp is True
        streams = zip(stage.channels, stage.num_heads, stage.window_sizes, stage.mlp_ratios)
        self.branches = nn.ModuleList(
            nn.Sequential(*(HRFormerBlock(*stream, rate, norm_cfg, with_rpe, with_pad_mask, with_cp == 'cheap',
                                          with_dwconv, shift_windows and i % 2 == 1)
                            for i, rate in enumerate(drop_paths))) for stream in streams)
        self.fuse_layers = StreamFusion(stage.channels, out_streams, norm_cfg, fuse_upsample)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Streams (N, C_i, H_i, W_i), to those that are computed."""
        branches = zip(self.branches, maps)
        return self.fuse_layers(side_by_side([partial(run_blocks, branch, x, self.with_cp) for branch, x in branches]))


@MODELS.register_module()
class HRFormer(BaseModule):
    """High-Resolution Transformer: up to four streams at strides 4, 8, 16 and 32, kept in parallel.

    Args:
        arch (str | dict, optional): 'tiny', 'small' or 'base' (the default), or a dict of the same form:
            `num_modules` (four numbers), `channels` and `num_heads` (one per stream), and, if need be, `num_blocks`,
            `mlp_ratio` and `drop_path_rate`.
        window_sizes (int | Sequence, optional): One attention window for all streams, or four, one per stream; each
            a number or a (height, width) pair. Default: 7.
        drop_path_rate (float, optional): Rate of the deepest block; the others' grow to it linearly. Default: the
            arch's own.
        out_indices (Sequence[int], optional): The streams to give, 0 (stride 4) to 3 (stride 32). The last module
            computes no other. Default: all four.
        in_channels (int): Channels of the image. Default: 3.
        fuse_upsample (str, optional): How a coarse stream is brought to a finer one: 'nearest' (the default), as the
            weights for classification and segmentation want it, or 'bilinear', as those for pose and mmpose's do.
        with_rpe (bool, optional): Whether attention has a relative position bias. Default: True.
        with_pad_mask (bool, optional): Whether attention leaves out the places that pad a map to whole windows.
            No released weights were trained so. Default: False.
        with_dwconv (bool): Whether the FFN has its 3x3 depth-wise convolution, which carries information across
            windows (paper, table 7). Default: True.
        shift_windows (bool): Whether every other block moves its windows by half their size, as Swin does (paper,
            table 9, in place of the depth-wise convolution). Default: False.
        with_cp (bool | str): What the backward pass makes anew, to save memory: True, all that is within a block;
            'cheap', about half of that: a transformer block keeps 8 maps of its channels where it keeps 15 otherwise.
            Default: False, on the CPU no more than the outputs of batch norms and GELUs and the attention's
            probabilities, which are quicker made than fetched, elsewhere nothing.
        norm_cfg (dict): The norm of all convolutions. Default: dict(type='BN').
        norm_eval (bool): Whether batch norms stay in evaluation mode in training. Default: False.
        frozen_stages (int): 0 freezes the stem, n stages 1 to n as well; -1 nothing. Default: -1.
        extra (dict, optional): The same things in the form of mmpose's configs, in place of `arch` and
            `window_sizes`. Its `drop_path_rate`, `with_rpe`, `with_pad_mask`, `upsample` and
            `stage4.multiscale_output` give way to arguments that are given; without them it means what it means
            there: bilinear upsampling, and stream 0 alone.
        compile (bool | dict): Whether torch.compile makes one kernel of many, at the first step and for every new size
            (minutes each time); or its arguments. It is the backbone that is compiled, since mmengine's own switch
            takes `train_step` with all its logging, and nothing in tests. Default of the arguments: dynamic=False.
        init_cfg (dict, optional): mmengine's initialisation; by default PyTorch's own, as in the authors' ImageNet
            training. `dict(type='Pretrained', checkpoint=FILE)` takes any layout that `hrformer-mm convert` knows.

    Raises:
        TypeError, ValueError: If an argument cannot be used, naming it, its value and what is allowed.
    """

    _checkpoint_filter = staticmethod(accept_whole_files)  # a hook that mmpretrain's ImageClassifier registers

    def __init__(self,
                 arch: Optional[Union[str, Mapping[str, Any]]] = None,
                 window_sizes: Optional[WindowSizes] = None,
                 drop_path_rate: Optional[float] = None,
                 out_indices: Optional[Sequence[int]] = None,
                 in_channels: int = 3,
                 fuse_upsample: Optional[str] = None,
                 with_rpe: Optional[bool] = None,
                 with_pad_mask: Optional[bool] = None,
                 with_dwconv: bool = True,
                 shift_windows: bool = False,
                 with_cp: Union[bool, str] = False,
                 norm_cfg: Mapping[str, Any] = dict(type='BN'),
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 extra: Optional[Mapping[str, Any]] = None,
                 compile: Union[bool, Mapping[str, Any]] = False,
                 init_cfg: Optional[Union[dict, list]] = None) -> None:
        super().__init__(init_cfg)
        if extra is None:
            variant = from_arch('base' if arch is None else arch, 7 if window_sizes is None else window_sizes)
            defaults = dict(fuse_upsample='nearest', out_indices=(0, 1, 2, 3), with_rpe=True, with_pad_mask=False)
        else:
            for name, value in (('arch', arch), ('window_sizes', window_sizes)):
                if value is not None:
                    raise ValueError(f'{name} is {value!r}, but extra is given too: leave out one of them')
            variant, defaults = from_extra(extra)
        defaults['drop_path_rate'] = variant.drop_path_rate
        given = dict(fuse_upsample=fuse_upsample, out_indices=out_indices, with_rpe=with_rpe,
                     with_pad_mask=with_pad_mask, drop_path_rate=drop_path_rate)
        settings = {**defaults, **{name: value for name, value in given.items() if value is not None}}

        flags = dict(with_rpe=settings['with_rpe'], with_pad_mask=settings['with_pad_mask'], with_dwconv=with_dwconv,
                     shift_windows=shift_windows)
        for name, value in (*flags.items(), ('norm_eval', norm_eval)):
            check_bool(name, value)
        if shift_windows and flags['with_pad_mask']:
            raise ValueError('shift_windows is True, but goes not with with_pad_mask=True: a window at the border '
                             'would hold padding alone, with nothing to attend to; leave out one of them')
        if shift_windows and any(stage.num_blocks[0] < 2 for stage in variant.stages):
            raise ValueError('shift_windows is True, but a stream has 1 block in a module, and it is the second that '
                             'is shifted: have num_blocks=2 or more')
        check_choice('with_cp', with_cp, (False, True, 'cheap'))
        if not isinstance(compile, (bool, Mapping)):
            raise TypeError(f'compile must be True, False or a dict of arguments of torch.compile, but is {compile!r}')
        if compile is not False and with_cp:
            raise ValueError(f'with_cp is {with_cp!r}, but goes not with compile, which chooses for itself what the '
                             'backward pass makes anew: leave out one of them')
        check_choice('fuse_upsample', settings['fuse_upsample'], UPSAMPLES)
        check_choice('frozen_stages', frozen_stages, range(-1, 5))
        _check_initialisation(init_cfg)
        self.init_cfg = check_pretrained(init_cfg)

        self.in_channels = check_int('in_channels', in_channels)
        self.fuse_upsample = settings['fuse_upsample']
        self.out_indices = _check_indices(settings['out_indices'])
        self.with_cp = with_cp is True
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self._build(variant, check_probability('drop_path_rate', settings['drop_path_rate']), norm_cfg,
                    fuse_upsample=settings['fuse_upsample'], with_cp=with_cp, **flags)
        accept_layouts(self, 'backbone.')
        self._freeze()
        if compile is not False:
            self._compile(dict(dynamic=False) if compile is True else compile)

    def _compile(self, arguments: Mapping[str, Any]) -> None:
        try:
            self.compile(**arguments)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f'compile is {dict(arguments)!r}, but must be arguments of torch.compile, as '
                             f"dict(mode='max-autotune', dynamic=False): {error}") from error

    def _build(self, variant: Arch, drop_path_rate: float, norm_cfg: dict[str, Any], **options: Any) -> None:
        self.conv1 = nn.Conv2d(self.in_channels, STEM_CHANNELS, 3, 2, 1, bias=False)
        self.bn1 = norm_layer(norm_cfg, STEM_CHANNELS)
        self.conv2 = nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, 3, 2, 1, bias=False)
        self.bn2 = norm_layer(norm_cfg, STEM_CHANNELS)
        bottlenecks, channels = [], STEM_CHANNELS
        for _ in range(variant.bottlenecks):
            bottlenecks.append(Bottleneck(channels, variant.bottleneck_channels, norm_cfg))
            channels = variant.bottleneck_channels * Bottleneck.expansion
        self.layer1 = nn.Sequential(*bottlenecks)

        depth = sum(stage.num_modules * stage.num_blocks[0] for stage in variant.stages)
        rates = iter([drop_path_rate * i / max(depth - 1, 1) for i in range(depth)])
        streams: tuple[int, ...] = (channels, )
        for number, stage in enumerate(variant.stages, start=2):
            self.add_module(f'transition{number - 1}', self._transition(streams, stage.channels, norm_cfg))
            modules = []
            for i in range(stage.num_modules):
                last = number == 4 and i == stage.num_modules - 1
                modules.append(
                    HRModule(stage, self.out_indices if last else range(number),
                             [next(rates) for _ in range(stage.num_blocks[0])], norm_cfg, **options))
            self.add_module(f'stage{number}', nn.Sequential(*modules))
            streams = stage.channels

    @staticmethod
    def _transition(old: Sequence[int], new: Sequence[int], norm_cfg: dict[str, Any]) -> nn.ModuleList:
        """Adapt the channels of the old streams (None: they fit), and derive the new one from the coarsest."""
        steps: list[Optional[nn.Module]] = [
            None if a == b else nn.Sequential(*conv_norm(a, b, norm_cfg, kernel_size=3, relu=True))
            for a, b in zip(old, new)
        ]
        steps.append(
            nn.Sequential(nn.Sequential(*conv_norm(old[-1], new[-1], norm_cfg, kernel_size=3, stride=2, relu=True))))
        return nn.ModuleList(steps)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            x (Tensor): (N, in_channels, H, W), of the weights' dtype, any H and W from 1 up; N may be 0.

        Returns:
            tuple[Tensor]: For each stream i of `out_indices`, (N, channels[i], ceil(H / 2**(i + 2)),
            ceil(W / 2**(i + 2))), in channels-last memory.

        Raises:
            TypeError, ValueError: If `x` is of another form or dtype, with the remedy.
        """
        check_image(x, self.in_channels, self.conv1.weight)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        maps = [run_blocks(self.layer1, x, self.with_cp)]
        for number in (2, 3, 4):
            transition = self.get_submodule(f'transition{number - 1}')
            # Every new stream starts from the coarsest of the old ones.
            maps = [step(maps[min(i, len(maps) - 1)]) if step is not None else maps[i]
                    for i, step in enumerate(transition)]
            for module in self.get_submodule(f'stage{number}'):
                maps = module(maps)
        return tuple(maps)

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
        """Set the mode; frozen stages, and with `norm_eval` all batch norms, stay in evaluation."""
        super().train(mode)
        self._freeze()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


def _check_indices(indices: Any) -> tuple[int, ...]:
    if isinstance(indices, (str, Mapping)) or not isinstance(indices, Sequence):
        raise TypeError(f'out_indices must be a list of streams, 0 to 3, but is {indices!r}')
    for i in indices:
        if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i <= 3:
            raise ValueError(f'out_indices is {tuple(indices)!r}, but streams are 0, 1, 2 and 3')
    if not indices or list(indices) != sorted(set(indices)):
        raise ValueError(f'out_indices is {tuple(indices)!r}, but must name at least one stream, in rising order, '
                         'each once')
    return tuple(indices)


def _check_initialisation(init_cfg: Any) -> None:
    if not isinstance(init_cfg, (list, tuple)):
        if init_cfg is not None:
            check_config('init_cfg', init_cfg, WEIGHT_INITIALIZERS, "dict(type='Pretrained', checkpoint=FILE)")
        return
    for i, step in enumerate(init_cfg):
        check_config(f'init_cfg[{i}]', step, WEIGHT_INITIALIZERS, "dict(type='Constant', val=0)")
