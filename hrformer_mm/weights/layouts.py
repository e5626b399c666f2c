"""The layouts in which HRFormer's weights were released, and their names in this package.

Here the backbone has mmpose's names. The authors store queries, keys and values apart and call the FFN `mlp`; their
heads are renamed by the tables below.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

from ..ops import relative_position_index, square_window

_BACKBONE = re.compile(r'(?:backbone\.)?((?:conv1|bn1|conv2|bn2|layer1|transition[123]|stage[234])\..+)')
TABLE = '.relative_position_bias_table'
INDEX = '.relative_position_index'

# (their name, our name), by task; the first that matches the whole beginning of a key is taken.
_HEADS: dict[str, list[tuple[str, str]]] = {
    'classification': [
        (r'incre_modules\.(\d+)\.0\.', r'neck.0.increase.\1.'),
        (r'downsamp_modules\.', r'neck.0.downsample.'),
        (r'final_layer\.', r'neck.0.final.'),
        (r'classifier\.', r'head.fc.'),
        (r'(neck\.0\.(?:increase|downsample|final)\.|head\.fc\.)', r'\1'),
    ],
    'segmentation': [
        (r'conv3x3\.0\.', r'decode_head.pixels.0.'),
        (r'conv3x3\.1\.0\.', r'decode_head.pixels.1.'),
        (r'aux_head\.0\.', r'decode_head.auxiliary.0.'),
        (r'aux_head\.1\.0\.', r'decode_head.auxiliary.1.'),
        (r'aux_head\.2\.', r'decode_head.auxiliary.3.'),
        (r'ocr_distri_head\.object_context_block\.f_pixel\.0\.', r'decode_head.attention.query.0.'),
        (r'ocr_distri_head\.object_context_block\.f_pixel\.1\.0\.', r'decode_head.attention.query.1.'),
        (r'ocr_distri_head\.object_context_block\.f_pixel\.2\.', r'decode_head.attention.query.3.'),
        (r'ocr_distri_head\.object_context_block\.f_pixel\.3\.0\.', r'decode_head.attention.query.4.'),
        (r'ocr_distri_head\.object_context_block\.f_object\.0\.', r'decode_head.attention.key.0.'),
        (r'ocr_distri_head\.object_context_block\.f_object\.1\.0\.', r'decode_head.attention.key.1.'),
        (r'ocr_distri_head\.object_context_block\.f_object\.2\.', r'decode_head.attention.key.3.'),
        (r'ocr_distri_head\.object_context_block\.f_object\.3\.0\.', r'decode_head.attention.key.4.'),
        (r'ocr_distri_head\.object_context_block\.f_down\.0\.', r'decode_head.attention.value.0.'),
        (r'ocr_distri_head\.object_context_block\.f_down\.1\.0\.', r'decode_head.attention.value.1.'),
        (r'ocr_distri_head\.object_context_block\.f_up\.0\.', r'decode_head.attention.project.0.'),
        (r'ocr_distri_head\.object_context_block\.f_up\.1\.0\.', r'decode_head.attention.project.1.'),
        (r'ocr_distri_head\.conv_bn_dropout\.0\.', r'decode_head.fuse.0.'),
        (r'ocr_distri_head\.conv_bn_dropout\.1\.0\.', r'decode_head.fuse.1.'),
        (r'cls_head\.', r'decode_head.conv_seg.'),
        (r'(decode_head\.(?:pixels|auxiliary|attention|fuse|conv_seg)\.)', r'\1'),
    ],
    'pose': [
        (r'(?:keypoint_head|head)\.final_layer\.', r'head.final_layer.'),
    ],
}


@dataclass(frozen=True)
class Layout:
    """What a file is: the `task` of its head ('backbone' if it has none), and whether `authors` trained it."""
    task: str
    authors: bool

    def __str__(self) -> str:
        whose = "the authors'" if self.authors else "mmpose's (or this package's)"
        return f'a {self.task} file with {whose} names'


def recognise(state: Mapping[str, Tensor]) -> Layout:
    """Tell a file's layout by its names.

    Raises:
        ValueError: If it is none of HRFormer's, or holds keys that do not belong to it, listing them.
    """
    apart = any('.attn.attn.q_proj.' in name for name in state)
    together = any('.attn.attn.qkv.' in name for name in state)
    if apart == together:
        raise ValueError('these are no HRFormer weights: there must be either stage2.0.branches.0.0.attn.attn.qkv.* '
                         f'or ….q_proj.*, but the keys are {_some(list(state))}')
    heads = [name for name in state if not _BACKBONE.fullmatch(name)]
    if not heads:
        return Layout('backbone', apart)
    unknown = {task: [name for name in heads if _rename(task, name) is None] for task in _HEADS}
    task = min(unknown, key=lambda name: len(unknown[name]))
    if unknown[task]:
        raise ValueError(f'{len(unknown[task])} keys belong to no head that is known here: {_some(unknown[task])}')
    return Layout(task, apart)


def convert_names(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Rename to this package's names: `backbone.`, and `neck.0.`, `decode_head.` or `head.`.

    The authors' pose code trained tables of relative position bias that it did not use: they become zero, so that
    the weights give their results with the bias switched on.

    Raises:
        ValueError: If a projection lacks one of its three parts, or a table is of no square window.
    """
    renamed: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        match = _BACKBONE.fullmatch(name)
        if match is None:
            renamed[_rename(layout.task, name)] = value
            continue
        name = f'backbone.{match[1]}'.replace('.mlp.', '.ffn.').replace('.attn.attn.out_proj.', '.attn.attn.proj.')
        if name.endswith(TABLE) and layout.authors and layout.task == 'pose':
            value = torch.zeros_like(value)
        projection = re.fullmatch(r'(.+\.attn\.attn\.)([qkv])_proj\.(weight|bias)', name)
        if projection is None:
            renamed[name] = value
        else:
            parts.setdefault(f'{projection[1]}qkv.{projection[3]}', {})[projection[2]] = value
    for name, three in parts.items():
        if len(three) != 3:
            raise ValueError(f"{name} needs q_proj, k_proj and v_proj, but there is only {', '.join(sorted(three))}")
        renamed[name] = torch.cat([three['q'], three['k'], three['v']])
    for name in [name for name in renamed if name.endswith(TABLE)]:
        index = name.replace(TABLE, INDEX)
        if index not in renamed:  # some files lack it
            side = square_window(renamed[name])
            renamed[index] = relative_position_index((side, side))
    return renamed


def _rename(task: str, name: str) -> Optional[str]:
    for theirs, ours in _HEADS[task]:
        new, count = re.subn(f'^{theirs}', ours, name)
        if count:
            return new
    return None


def _some(names: list[str]) -> str:
    return ', '.join(names[:8]) + (f', … ({len(names)} in all)' if len(names) > 8 else '')
