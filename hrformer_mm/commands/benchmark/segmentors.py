"""HRFormer + OCR, from image to logits of the image's size: mmseg's cascade on mmpose's backbone, and ours.

Both run `encode_decode`, what mmseg's inference calls: backbone, both heads, and the logits resized to the image. The
argmax and the return to the size of the photograph, which mmseg does for both alike, are left out.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...models import HRFormer
from .backbones import deployed, mmpose_extra, mmpose_hrformer
from .contender import OURS, Contender, compiled, randomize, require, step
from .options import Options

CLASSES = 19
CHANNELS, KEY_CHANNELS = 512, 256  # of pixels and regions, and of their comparison

# mmseg's convolutions with norm, and the place of ours: in `nn.Sequential`s, the norm after the convolution.
_CONVS = {
    '0.convs.0': 'auxiliary.0',
    '1.bottleneck': 'pixels.0',
    '1.object_context_block.query_project.0': 'attention.query.0',
    '1.object_context_block.query_project.1': 'attention.query.3',
    '1.object_context_block.key_project.0': 'attention.key.0',
    '1.object_context_block.key_project.1': 'attention.key.3',
    '1.object_context_block.value_project': 'attention.value.0',
    '1.object_context_block.out_project': 'attention.project.0',
    '1.object_context_block.bottleneck': 'fuse.0',
}
_CLASSIFIERS = {'0.conv_seg': 'auxiliary.3', '1.conv_seg': 'conv_seg'}


def segmentors(options: Options, size: tuple[int, int]) -> list[Contender]:
    """mmseg's on mmpose's backbone first, if mmpose is installed; all with the same weights.

    Raises:
        ImportError: If mmseg is not installed.
    """
    registry = require('mmseg.registry', 'mmsegmentation').MODELS
    extra = mmpose_extra(options.arch)
    norm_cfg = dict(type='BN')
    in_channels = list(extra['stage4']['num_channels'])
    heads = dict(in_channels=in_channels, channels=CHANNELS, num_classes=CLASSES, norm_cfg=norm_cfg,
                 align_corners=True)
    ours = registry.build(dict(
        _scope_='mmseg',  # whatever scope was used before in this process
        type='EncoderDecoder',
        backbone=dict(type=HRFormer, extra=extra),
        decode_head=dict(type='hrformer_mm.OCRHead', key_channels=KEY_CHANNELS, **heads),
        test_cfg=dict(mode='whole')))
    randomize(ours)
    x = torch.randn(options.batch, ours.backbone.in_channels, *size, device=options.device)
    metas = [dict(img_shape=size, pad_shape=size)] * options.batch

    def inference(model: nn.Module) -> Callable[[Tensor], tuple[Tensor]]:
        return lambda images: (model.encode_decode(images, metas), )

    contenders = []
    peer = mmpose_hrformer()
    if peer is not None:
        heads.update(input_transform='resize_concat', in_index=list(range(len(in_channels))))
        theirs = registry.build(dict(
            _scope_='mmseg',
            type='CascadeEncoderDecoder',
            num_stages=2,
            backbone=dict(type=peer, extra=copy.deepcopy(extra)),
            decode_head=[
                dict(type='FCNHead', num_convs=1, concat_input=False, **heads),
                dict(type='OCRHead', ocr_channels=KEY_CHANNELS, **heads),
            ],
            test_cfg=dict(mode='whole')))
        randomize(theirs.decode_head)
        theirs.backbone.load_state_dict(ours.backbone.state_dict())
        ours.decode_head.load_state_dict(from_mmseg(theirs.decode_head.state_dict()))
        theirs.to(options.device).train(False)
        forward = inference(theirs)
        contenders.append(Contender("mmseg's OCR, mmpose's HRFormer", theirs,
                                    step(theirs, x, options, options.autocast, forward)))
        if options.compile:
            contenders.append(Contender("mmseg's and mmpose's, compiled", theirs,
                                        step(theirs, x, options, options.autocast, compiled(forward, options)),
                                        compiled=True))
    ours.to(options.device).eval()
    contenders.append(Contender(OURS, ours, step(ours, x, options, options.autocast, inference(ours))))
    return contenders + deployed(ours, x, options, inference)


def from_mmseg(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of mmseg's cascade of FCNHead and OCRHead, as our `OCRHead` names them.

    mmseg's convolutions before a norm have no bias: ours get zeros, which is the same function.
    """
    renamed: dict[str, Any] = {}
    for theirs, ours in _CONVS.items():
        module, index = ours.rsplit('.', 1)
        renamed[f'{ours}.weight'] = weight = weights[f'{theirs}.conv.weight']
        renamed[f'{ours}.bias'] = weight.new_zeros(len(weight))
        for leaf in ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'):
            renamed[f'{module}.{int(index) + 1}.{leaf}'] = weights[f'{theirs}.bn.{leaf}']
    for theirs, ours in _CLASSIFIERS.items():
        for leaf in ('weight', 'bias'):
            renamed[f'{ours}.{leaf}'] = weights[f'{theirs}.{leaf}']
    return renamed
