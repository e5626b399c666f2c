"""Layouts of released weights, and the corresponding names in this package.

The backbone has the names of mmpose. The authors store separate projections of queries, keys and values, call the FFN
`mlp`, and use no prefixes for their heads.
"""

import re
from collections.abc import Collection, Mapping

import torch
from mmengine.logging import print_log
from torch import Tensor

TABLE = '.relative_position_bias_table'
INDEX = '.relative_position_index'

_OCR = {  # from the authors' modules to those of decode_head
    'conv3x3': 'pixels',
    'aux_head': 'auxiliary',
    'ocr_distri_head.object_context_block.f_pixel': 'attention.query',
    'ocr_distri_head.object_context_block.f_object': 'attention.key',
    'ocr_distri_head.object_context_block.f_down': 'attention.value',
    'ocr_distri_head.object_context_block.f_up': 'attention.project',
    'ocr_distri_head.conv_bn_dropout': 'fuse',
}
_OCR_LAYERS = {'0': '0', '1.0': '1', '2': '3', '3.0': '4'}  # the authors wrap a norm and its ReLU in one module
# (their name, our name): the first pattern that matches the start of a key applies.
_NAMES = [
    (re.compile(theirs), ours)
    for theirs, ours in (
        (r'(?:backbone\.)?((?:conv1|bn1|conv2|bn2|layer1|transition[123]|stage[234])\.)', r'backbone.\1'),
        (r'incre_modules\.(\d+)\.0\.', r'neck.0.increase.\1.'),
        (r'downsamp_modules\.', 'neck.0.downsample.'),
        (r'final_layer\.', 'neck.0.final.'),
        (r'classifier\.', 'head.fc.'),
        *(
            (re.escape(f'{theirs}.{their_layer}.'), f'decode_head.{ours}.{our_layer}.')
            for theirs, ours in _OCR.items()
            for their_layer, our_layer in _OCR_LAYERS.items()
        ),
        (r'cls_head\.', 'decode_head.conv_seg.'),
        (r'keypoint_head\.final_layer\.', 'head.final_layer.'),
        (r'(neck\.0\.(?:increase|downsample|final)\.|head\.(?:fc|final_layer)\.)', r'\1'),
        (r'(decode_head\.(?:pixels|auxiliary|attention|fuse|conv_seg)\.)', r'\1'),
    )
]


def rename(name: str) -> str | None:
    """Return the name of a weight in a whole model of this package, or None if no layout has such a key."""
    name = name.removeprefix('module.')
    for theirs, ours in _NAMES:
        if match := theirs.match(name):
            name = match.expand(ours) + name[match.end() :]
            return name.replace('.mlp.', '.ffn.').replace('.attn.attn.out_proj.', '.attn.attn.proj.')
    return None


def convert_names(
    state: Mapping[str, Tensor], keep: Collection[str] = (), bias_unused: bool = False
) -> dict[str, Tensor]:
    """Rename the weights of any supported layout to the names of a whole model of this package.

    Weights that already have these names, unknown names and weights of other models remain unchanged. The authors' pose
    code stores tables of relative position bias that it does not use; they are set to zero.

    Args:
        state (Mapping[str, Tensor]): Weights by name.
        keep (Collection[str]): First components of names that are not renamed. Default: ().
        bias_unused (bool): Treat the weights as those of the authors' pose code even without its head. Default: False.

    Raises:
        ValueError: If a projection of queries, keys and values is incomplete.
    """
    if not any('.attn.attn.' in name for name in state):
        return dict(state)
    renamed: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        name = name if name.split('.')[0] in keep else rename(name) or name
        projection = re.fullmatch(r'(.+\.attn\.attn\.)([qkv])_proj\.(weight|bias)', name)
        if projection:
            parts.setdefault(f'{projection[1]}qkv.{projection[3]}', {})[projection[2]] = value
        else:
            renamed[name] = value
    for name, three in parts.items():
        if len(three) != 3:
            raise ValueError(f'{name} needs q_proj, k_proj and v_proj, but there is only {", ".join(sorted(three))}')
        renamed[name] = torch.cat([three['q'], three['k'], three['v']])
    if parts and (bias_unused or any(name.startswith('head.final_layer.') for name in renamed)):
        tables = [name for name in renamed if name.endswith(TABLE)]
        renamed.update({name: torch.zeros_like(renamed[name]) for name in tables})
        print_log(
            f"Set {len(tables)} tables of relative position bias to zero: the authors' pose code does not use them.",
            logger='current',
        )
    return renamed
