"""The layouts of released weights, and their names in this package.

The backbone has mmpose's names. The authors store queries, keys and values apart, call the FFN `mlp`, and do not set
their heads apart from each other.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Optional

import torch
from mmengine.logging import print_log
from torch import Tensor

from ..ops import relative_position_index, square_window

TABLE = '.relative_position_bias_table'
INDEX = '.relative_position_index'

_OCR = {  # the authors' modules, and those of decode_head
    'conv3x3': 'pixels',
    'aux_head': 'auxiliary',
    'ocr_distri_head.object_context_block.f_pixel': 'attention.query',
    'ocr_distri_head.object_context_block.f_object': 'attention.key',
    'ocr_distri_head.object_context_block.f_down': 'attention.value',
    'ocr_distri_head.object_context_block.f_up': 'attention.project',
    'ocr_distri_head.conv_bn_dropout': 'fuse',
}
_OCR_LAYERS = {'0': '0', '1.0': '1', '2': '3', '3.0': '4'}  # the authors join a norm and its ReLU in one module
# (their name, our name): the first pattern that matches the beginning of a key is taken.
_NAMES = [(re.compile(theirs), ours) for theirs, ours in (
    (r'(?:backbone\.)?((?:conv1|bn1|conv2|bn2|layer1|transition[123]|stage[234])\.)', r'backbone.\1'),
    (r'incre_modules\.(\d+)\.0\.', r'neck.0.increase.\1.'),
    (r'downsamp_modules\.', 'neck.0.downsample.'),
    (r'final_layer\.', 'neck.0.final.'),
    (r'classifier\.', 'head.fc.'),
    *((re.escape(f'{theirs}.{their_layer}.'), f'decode_head.{ours}.{our_layer}.')
      for theirs, ours in _OCR.items() for their_layer, our_layer in _OCR_LAYERS.items()),
    (r'cls_head\.', 'decode_head.conv_seg.'),
    (r'keypoint_head\.final_layer\.', 'head.final_layer.'),
    (r'(neck\.0\.(?:increase|downsample|final)\.|head\.(?:fc|final_layer)\.)', r'\1'),
    (r'(decode_head\.(?:pixels|auxiliary|attention|fuse|conv_seg)\.)', r'\1'),
)]
_TASKS = {'neck.0.': 'classification', 'head.fc.': 'classification', 'decode_head.': 'segmentation',
          'head.final_layer.': 'pose'}


@dataclass(frozen=True)
class Layout:
    """What a file is: the `task` of its head ('backbone' if it has none), and whether `authors` trained it."""
    task: str
    authors: bool

    def __str__(self) -> str:
        whose = "the authors'" if self.authors else "mmpose's (or this package's)"
        return f'a {self.task} file with {whose} names'


def rename(name: str) -> Optional[str]:
    """The name in a whole model of this package, or None if no layout has such a key."""
    name = name.removeprefix('module.')
    for theirs, ours in _NAMES:
        if match := theirs.match(name):
            name = match.expand(ours) + name[match.end():]
            return name.replace('.mlp.', '.ffn.').replace('.attn.attn.out_proj.', '.attn.attn.proj.')
    return None


def recognise(state: Mapping[str, Tensor]) -> Layout:
    """Tell a file's layout by its names.

    Raises:
        ValueError: If it holds no HRFormer, or keys that belong to no layout; the error lists them.
    """
    authors = any('.attn.attn.q_proj.' in name for name in state)
    if authors == any('.attn.attn.qkv.' in name for name in state):
        raise ValueError('these are no HRFormer weights: there must be either stage2.0.branches.0.0.attn.attn.qkv.* '
                         f'or ….q_proj.*, but the keys are {_some(list(state))}')
    renamed = {name: rename(name) for name in state}
    unknown = [name for name in state if renamed[name] is None]
    if unknown:
        raise ValueError(f'{len(unknown)} keys belong to no head that is known here: {_some(unknown)}')
    tasks = [task for prefix, task in _TASKS.items() if any(name.startswith(prefix) for name in renamed.values())]
    return Layout(tasks[0] if tasks else 'backbone', authors)


def convert_names(state: Mapping[str, Tensor], keep: Collection[str] = (), bias_unused: bool = False) -> dict[str, Tensor]:
    """Rename the weights of any known layout to the names of a whole model of this package. The result of this
    function, weights of other models, and unknown names pass unchanged.

    The authors' pose code trained tables of relative position bias that it did not use. They become zero, so that the
    weights give their results with the bias switched on.

    Args:
        state (Mapping[str, Tensor]): The weights. They are not changed.
        keep (Collection[str]): First parts of names that are not renamed. Default: none.
        bias_unused (bool): The weights come from the authors' pose code, although their head is not among them.
            Default: False.

    Raises:
        ValueError: If a projection lacks one of its three parts, or a table is not of a square window.
    """
    if not any('.attn.attn.' in name for name in state):
        return dict(state)
    renamed: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.split('.')[0] not in keep:
            name = rename(name) or name
        projection = re.fullmatch(r'(.+\.attn\.attn\.)([qkv])_proj\.(weight|bias)', name)
        if projection:
            parts.setdefault(f'{projection[1]}qkv.{projection[3]}', {})[projection[2]] = value
        else:
            renamed[name] = value
    for name, three in parts.items():
        if len(three) != 3:
            raise ValueError(f"{name} needs q_proj, k_proj and v_proj, but there is only {', '.join(sorted(three))}")
        renamed[name] = torch.cat([three['q'], three['k'], three['v']])
    tables = [name for name in renamed if name.endswith(f'.attn.attn{TABLE}')]
    if parts and (bias_unused or any(name.startswith('head.final_layer.') for name in renamed)):
        renamed.update({name: torch.zeros_like(renamed[name]) for name in tables})
        print_log(f"Set {len(tables)} tables of relative position bias to zero: the authors' pose code does not use "
                  'them.', logger='current')
    for name in tables:
        index = name.replace(TABLE, INDEX)
        if index not in renamed:  # some files lack it
            side = square_window(renamed[name])
            renamed[index] = relative_position_index((side, side))
    return renamed


def _some(names: list[str]) -> str:
    return ', '.join(names[:8]) + (f', … ({len(names)} in all)' if len(names) > 8 else '')
