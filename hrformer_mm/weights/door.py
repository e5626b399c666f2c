"""Hooks by which `load_state_dict` of the backbone, the heads and whole models accepts every supported layout."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from ..ops import relative_position_index, resize_bias_table, square_window
from .check import check_fit, check_state
from .io import read_tensors
from .layouts import INDEX, TABLE, convert_names, rename
from .names import locate, unknown_name

_LAST_FUSION = re.compile(r'((?:.+\.)?stage4\.\d+\.fuse_layers)\.\d+')


def accept_layouts(module: nn.Module, part: str) -> None:
    """Let `load_state_dict` of a backbone, neck or head, alone or within a model, accept every supported layout.

    Args:
        module (nn.Module): Backbone, neck or head.
        part (str): Prefix of its keys in a whole model, for example 'backbone.'.
    """
    module._register_load_state_dict_pre_hook(partial(_adapt_part, part=part), with_module=True)


def accept_whole_files(state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Rename the authors' weights of heads, which have no prefix; a `load_state_dict` pre-hook of whole models."""
    _replace(state_dict, prefix, convert_names)


def _adapt_part(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: Any, part: str) -> None:
    # The hook of a backbone within a model does not see the head. Of the authors' code, only that for pose estimation
    # upsamples bilinearly.
    bias_unused = bool(prefix) and getattr(module, 'fuse_upsample', None) == 'bilinear'
    _replace(state_dict, prefix, lambda state: adapt_state_dict(module, state, part, bias_unused))
    # mmengine sets this attribute on all modules during `init_weights` of a whole model, which loads with strict=False.
    if hasattr(module, '_params_init_info'):
        state = {name: value for name, value in state_dict.items() if name.startswith(prefix)}
        if state or part == 'backbone.' or not prefix:
            _check_initial(module, state, prefix, part)


def _check_initial(module: nn.Module, state: Mapping[str, Tensor], prefix: str, part: str) -> None:
    try:
        check_state(state, {prefix + name: value.shape for name, value in module.state_dict().items()})
    except ValueError as error:
        raise ValueError(
            f"the checkpoint of an init_cfg of type 'Pretrained' does not fit {part[:-1]}: {error}. Load a backbone's "
            "weights with the backbone's init_cfg, and weights of a whole model with load_from"
        ) from None


def _replace(
    state_dict: dict[str, Tensor], prefix: str, adapt: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    names = [name for name in state_dict if name.startswith(prefix)]
    adapted = adapt({name[len(prefix) :]: state_dict.pop(name) for name in names})
    state_dict.update((prefix + name, value) for name, value in adapted.items())


def adapt_state_dict(
    module: nn.Module, state: Mapping[str, Tensor], part: str = '', bias_unused: bool = False
) -> dict[str, Tensor]:
    """Convert weights of any supported layout to the layout, window sizes and branches of a model.

    Weights in the model's own layout and weights of other models are returned unchanged. The result may have missing
    or unknown keys.

    Args:
        module (nn.Module): Whole model, or a part of one.
        state (Mapping[str, Tensor]): Weights of the module or of a whole file.
        part (str): See :func:`accept_layouts`. Default: '', for a whole model.
        bias_unused (bool): See :func:`convert_names`. Default: False.

    Raises:
        ValueError: If a projection is incomplete, or if a bias table that must be resized does not belong to a square
            window.
    """
    if not any('.attn.attn.' in name for name in state):
        return dict(state)
    own = {name for name, _ in module.named_children()}
    if part:
        # In a file of a whole model, unknown names belong to other parts; otherwise they are unexpected keys.
        whole = any(name.startswith(part) for name in state)
        state = {
            name if name.split('.')[0] not in own and (whole or rename(name)) else part + name: value
            for name, value in state.items()
        }
    adapted = convert_names(state, () if part else own - {'backbone'}, bias_unused)
    _drop(adapted, [name for name in adapted if not name.startswith(part)], f'weights other than {part}*')
    adapted = {name[len(part) :]: value for name, value in adapted.items()}
    _fit_branches(module, adapted)
    _fit_windows(module, adapted)
    return adapted


def _fit_branches(module: nn.Module, state: dict[str, Tensor]) -> None:
    modules = {name for name, _ in module.named_modules()}
    found = {name: match for name in state if (match := _LAST_FUSION.match(name))}
    _drop(
        state,
        [name for name, match in found.items() if match[1] in modules and match[0] not in modules],
        'weights of branches that out_indices leaves out',
    )


def _fit_windows(module: nn.Module, state: dict[str, Tensor]) -> None:
    unused: list[str] = []
    resized: dict[str, int] = {}
    for name, attention in module.named_modules():
        table, index = name + TABLE, name + INDEX
        if table not in state or not hasattr(attention, 'window_size'):
            continue
        if attention.relative_position_bias_table is None:
            unused += [key for key in (table, index) if key in state]
            continue
        window = attention.window_size
        state[index] = relative_position_index(window)
        if len(state[table]) != (2 * window[0] - 1) * (2 * window[1] - 1):
            side = square_window(state[table])
            state[table] = resize_bias_table(state[table], (side, side), window)
            sizes = f'{side}x{side} to {window[0]}x{window[1]}'
            resized[sizes] = resized.get(sizes, 0) + 1
    _drop(state, unused, 'tables and indices of relative position bias, since with_rpe is False')
    for sizes, count in resized.items():
        print_log(f'Resized {count} tables of relative position bias from windows of {sizes}.', logger='current')


def _drop(state: dict[str, Tensor], names: Sequence[str], what: str) -> None:
    for name in names:
        del state[name]
    if names:
        print_log(f'Left out {len(names)} {what}.', logger='current')


def fit_weights(
    module: nn.Module, state: Mapping[str, Tensor], source: str, part: str = '', may_differ: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Convert weights with :func:`adapt_state_dict` and validate the result with :func:`check_fit`.

    Raises:
        ValueError: If the weights do not fit the module. The message names `source`.
    """
    try:
        adapted = adapt_state_dict(module, state, part)
    except ValueError as error:
        raise ValueError(f'{source} was not loaded: {error}') from error
    check_fit(source, adapted, module.state_dict(), may_differ)
    return adapted


def load_weights(module: nn.Module, state: Mapping[str, Tensor], source: str, part: str = '') -> None:
    """Load weights of any supported layout after :func:`fit_weights`."""
    module.load_state_dict(fit_weights(module, state, source, part))


class Pretrained(PretrainedInit):
    """mmengine's `PretrainedInit` for a backbone, extended to all supported layouts. The weights must fit.

    Args:
        checkpoint (str): File, URL or name of released weights.
    """

    def locate(self) -> str:
        """Return the path of the local file, downloading it if needed.

        Raises:
            OSError, ValueError: If there is no such file, or the download fails. The message names the option that
                trains from random weights.
        """
        try:
            path = locate(self.checkpoint)
            if '://' not in path and not os.path.exists(path):
                raise FileNotFoundError(unknown_name(path))
            return path
        except (OSError, ValueError) as error:
            raise type(error)(
                f'the backbone cannot start from {self.checkpoint}: {error}. To start from random '
                'weights, set --cfg-options model.backbone.init_cfg=None'
            ) from error

    def __call__(self, module: nn.Module) -> None:
        state = read_tensors(self.locate())
        if self.prefix:
            prefix = self.prefix.removesuffix('.') + '.'
            state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            if not state:
                raise ValueError(
                    f'init_cfg.prefix is {self.prefix!r}, but no weight of {self.checkpoint} has this prefix'
                )
        load_weights(module, state, self.checkpoint, 'backbone.')
        print_log(f'The backbone starts from {self.checkpoint}.', logger='current')


def check_pretrained(init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """Replace mmengine's `Pretrained` in a config by :class:`Pretrained`, and move it to the end, as mmengine does."""
    steps = [init_cfg] if isinstance(init_cfg, Mapping) else list(init_cfg or ())
    kinds = [WEIGHT_INITIALIZERS.get(step['type']) if isinstance(step['type'], str) else step['type'] for step in steps]
    return [step for step, kind in zip(steps, kinds) if kind is not PretrainedInit] + [
        {**step, 'type': Pretrained} for step, kind in zip(steps, kinds) if kind is PretrainedInit
    ]
