"""The models that are compared: mmpose's HRFormer, ours in its forms, and other networks for context."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._inductor import config as inductor_config

from hrformer_mm import HRFormer, to_deploy

# Modules per stage, channels and heads per branch.
VARIANTS = {
    'tiny': ((1, 1, 3, 2), (18, 36, 72, 144), (1, 2, 4, 8)),
    'small': ((1, 1, 4, 2), (32, 64, 128, 256), (1, 2, 4, 8)),
    'base': ((1, 1, 4, 2), (78, 156, 312, 624), (2, 4, 8, 16)),
}
DTYPES = {'float32': torch.float32, 'bf16': torch.bfloat16}
OURS = 'hrformer_mm'

# mmseg's convolutions with a norm, and ours: in an `nn.Sequential`, followed by the norm.
OCR_CONVS = {
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
OCR_CLASSIFIERS = {'0.conv_seg': 'auxiliary.3', '1.conv_seg': 'conv_seg'}


@dataclass(frozen=True)
class Settings:
    """The options of speed.py that choose models and their step; `compile` is a mode of torch.compile."""

    arch: str = 'base'
    batch: int = 1
    train: bool = False
    ocr: bool = False
    context: bool = False
    openvino: bool = False
    compile: str | None = None
    dtype: str = 'float32'
    device: str = 'cpu'


@dataclass(frozen=True)
class Contender:
    """A model, how it is called, and its step, which is timed; `context` marks another network."""

    name: str
    model: nn.Module
    forward: Callable[[nn.Module, Tensor], Sequence[Tensor]]
    step: Callable[[], tuple[Tensor, ...]]
    context: bool = False


def contenders(settings: Settings, size: tuple[int, int]) -> Iterator[Contender]:
    """mmpose's HRFormer first, then ours with the same weights, then other networks."""
    images = torch.randn(settings.batch, 3, *size, device=settings.device)
    theirs, ours, forward = (segmentors if settings.ocr else backbones)(settings.arch, size)

    def contender(
        name: str,
        model: nn.Module,
        compiled: bool = False,
        dtype: torch.dtype | None = None,
        forward: Callable = forward,
        context: bool = False,
    ) -> Contender:
        model.to(settings.device, dtype).train(settings.train)  # which returns nothing in mmpose
        autocast = settings.dtype == 'bf16' and dtype is None
        call = compile_forward(forward, settings) if compiled else forward
        return Contender(
            name, model, forward, make_step(model, call, images.to(dtype), settings.train, autocast), context
        )

    peer = "mmseg's OCR, mmpose's HRFormer" if settings.ocr else "mmpose's HRFormer"
    yield contender(peer, theirs)
    if settings.compile:
        yield contender(f'{peer}, compiled', theirs, compiled=True)
    yield contender(OURS, ours)
    if settings.compile:
        yield contender(f'{OURS}, compiled', ours, compiled=True)
    if settings.train:
        for with_cp in ('cheap', True):
            saving = HRFormer(extra=mmpose_extra(settings.arch), with_cp=with_cp)
            saving.load_state_dict(ours.state_dict())
            yield contender(f'{OURS}, with_cp={with_cp!r}', saving)
    else:
        yield contender(f'{OURS}, deployment form', to_deploy(ours), dtype=DTYPES[settings.dtype])
        if settings.openvino:
            deployed = to_deploy(ours, engine='openvino', dtype='bf16' if settings.dtype == 'bf16' else 'fp32')
            yield contender(f'{OURS}, OpenVINO', deployed, dtype=torch.float32)
        if settings.compile:
            deployed = to_deploy(ours, compile=dict(dynamic=False, mode=settings.compile))
            yield contender(f'{OURS}, deployment form, compiled', deployed, dtype=DTYPES[settings.dtype])
    for name in ('HRNet-W48', 'ViT-B/16') if settings.context else ():
        yield contender(f"mmpretrain's {name}", build_peer(name, size), forward=run, context=True)


def build_peer(name: str, size: tuple[int, int]) -> nn.Module:
    """Build one of mmpretrain's backbones with random weights."""
    from mmpretrain.models.backbones import HRNet, SwinTransformer, VisionTransformer

    if name.startswith('HRNet'):
        return HRNet(name.removeprefix('HRNet-').lower()).to(memory_format=torch.channels_last)
    if name == 'ViT-B/16':
        return VisionTransformer('base', img_size=size, patch_size=16, out_type='featmap')
    return SwinTransformer('base', img_size=size, out_indices=(0, 1, 2, 3), pad_small_map=True)


def run(model: nn.Module, images: Tensor) -> Sequence[Tensor]:
    return model(images)


def make_step(model: nn.Module, forward: Callable, images: Tensor, train: bool, autocast: bool) -> Callable:

    def step() -> tuple[Tensor, ...]:
        with torch.set_grad_enabled(train), torch.autocast(images.device.type, torch.bfloat16, autocast):
            outputs = tuple(forward(model, images))
        if train:
            sum(y.float().square().mean() for y in outputs).backward()
            model.zero_grad()  # every step starts without gradients, so that its memory includes them
        return tuple(y.detach() for y in outputs)

    return step


def compile_forward(forward: Callable, settings: Settings) -> Callable:
    """torch.compile for one size; for inference on the CPU with weights as constants, which is fastest there."""
    compiled = torch.compile(forward, dynamic=False, mode=settings.compile)
    if settings.device != 'cpu' or settings.train:
        return compiled

    def frozen(*args: Any) -> Any:
        with inductor_config.patch(freezing=True):  # as an argument of torch.compile it comes too late for the tracer
            return compiled(*args)

    return frozen


def mmpose_extra(arch: str) -> dict[str, Any]:
    """A variant in the form of mmpose's configs, with all four outputs and without drop path."""
    modules, channels, heads = VARIANTS[arch]
    extra: dict[str, Any] = dict(
        drop_path_rate=0.0,
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2,), num_channels=(64,)),
    )
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(
            num_modules=modules[n - 1],
            num_branches=n,
            block='HRFORMERBLOCK',
            num_blocks=(2,) * n,
            num_channels=channels[:n],
            num_heads=heads[:n],
            mlp_ratios=(4,) * n,
            window_sizes=(7,) * n,
            multiscale_output=True,
        )
    return extra


def backbones(arch: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module, Callable]:
    """mmpose's and ours, and how both are called."""
    from mmpose.models.backbones import HRFormer as Peer

    theirs, ours = Peer(mmpose_extra(arch)), HRFormer(extra=mmpose_extra(arch))
    randomize(theirs)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours, run


def segmentors(arch: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module, Callable]:
    """mmseg's cascade on mmpose's backbone and ours, and how both are called: from images to logits of their size."""
    from mmseg.registry import MODELS

    head = dict(
        in_channels=list(VARIANTS[arch][1]), channels=512, num_classes=19, norm_cfg=dict(type='BN'), align_corners=True
    )
    stock = dict(head, input_transform='resize_concat', in_index=[0, 1, 2, 3])
    common = dict(_scope_='mmseg', test_cfg=dict(mode='whole'))
    theirs = MODELS.build(
        dict(
            common,
            type='CascadeEncoderDecoder',
            num_stages=2,
            backbone=dict(type='mmpose.HRFormer', extra=mmpose_extra(arch)),
            decode_head=[
                dict(stock, type='FCNHead', num_convs=1, concat_input=False),
                dict(stock, type='OCRHead', ocr_channels=256),
            ],
        )
    )
    ours = MODELS.build(
        dict(
            common,
            type='EncoderDecoder',
            backbone=dict(type='hrformer_mm.HRFormer', extra=mmpose_extra(arch)),
            decode_head=dict(head, type='hrformer_mm.OCRHead', key_channels=256),
        )
    )
    randomize(theirs)
    ours.backbone.load_state_dict(theirs.backbone.state_dict())
    ours.decode_head.load_state_dict(from_mmseg(theirs.decode_head.state_dict()))

    def forward(model: nn.Module, images: Tensor) -> tuple[Tensor]:
        return (model.encode_decode(images, [dict(img_shape=size, pad_shape=size)] * len(images)),)

    return theirs, ours, forward


def randomize(model: nn.Module) -> None:
    """Give constant initial values (running statistics, position biases) some that affect the outputs."""
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith(('running_mean', 'bias_table')):
            value.normal_(0, 0.2)


def from_mmseg(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of mmseg's cascade of FCNHead and OCRHead for our `OCRHead`, whose convolutions have a (zero) bias."""
    renamed: dict[str, Tensor] = {}
    for theirs, ours in OCR_CONVS.items():
        module, index = ours.rsplit('.', 1)
        renamed[f'{ours}.weight'] = weight = weights[f'{theirs}.conv.weight']
        renamed[f'{ours}.bias'] = weight.new_zeros(len(weight))
        for leaf in ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'):
            renamed[f'{module}.{int(index) + 1}.{leaf}'] = weights[f'{theirs}.bn.{leaf}']
    return renamed | {
        f'{ours}.{leaf}': weights[f'{theirs}.{leaf}']
        for theirs, ours in OCR_CLASSIFIERS.items()
        for leaf in ('weight', 'bias')
    }
