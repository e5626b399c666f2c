"""The backbones: mmpose's, ours in its forms, and for context two others of mmpretrain's."""

import copy
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import torch
from torch import nn

from ...deploy import to_deploy
from ...models import HRFormer
from ...models.arch import ARCHS, DEFAULTS
from .contender import OURS, Contender, compiled, randomize, require, step
from .options import Options


def mmpose_extra(arch: str) -> dict[str, Any]:
    """A variant in the form of mmpose's configs, all four maps given."""
    variant = {**DEFAULTS, **ARCHS[arch]}
    extra: dict[str, Any] = dict(
        drop_path_rate=0.0,
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2, ), num_channels=(64, )))
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(
            num_modules=variant['num_modules'][n - 1], num_branches=n, block='HRFORMERBLOCK',
            num_blocks=(variant['num_blocks'], ) * n, num_channels=variant['channels'][:n],
            num_heads=variant['num_heads'][:n], mlp_ratios=(variant['mlp_ratio'], ) * n, window_sizes=(7, ) * n,
            multiscale_output=True)
    return extra


@cache
def mmpose_hrformer() -> Optional[type[nn.Module]]:
    """mmpose's class, or None, with a warning, where mmpose cannot be imported."""
    try:
        from mmpose.models.backbones import HRFormer as Peer
    except ImportError as error:
        try:
            return _backbone_alone()
        except ImportError:
            warnings.warn(f'mmpose cannot be imported ({error}): hrformer_mm is timed without its peer')
            return None
    return Peer


def _backbone_alone() -> type[nn.Module]:
    """mmpose's class without the rest of mmpose, where a library that its data sets need is missing.

    Raises:
        ImportError: If that does not work either.
    """
    folder = Path(import_module('mmpose').__file__).parent
    registered = import_module('mmpose.registry').MODELS.module_dict
    kept, modules = dict(registered), set(sys.modules)
    try:
        for name in ('mmpose.models', 'mmpose.models.backbones'):
            package = ModuleType(name)  # in place of one that imports all that is in its folder
            package.__path__ = [str(folder.joinpath(*name.split('.')[1:]))]
            sys.modules[name] = package
        return import_module('mmpose.models.backbones.hrformer').HRFormer
    finally:
        # What was imported is forgotten, and registers itself again should somebody need it.
        for name in set(sys.modules) - modules:
            if name.startswith('mmpose.models'):
                del sys.modules[name]
        registered.clear()
        registered.update(kept)


def backbones(options: Options, size: tuple[int, int]) -> list[Contender]:
    """mmpose's first, if it is installed; all of HRFormer with the same weights.

    Raises:
        ImportError: If mmpretrain is needed and not installed.
    """
    extra = mmpose_extra(options.arch)
    ours = HRFormer(extra=extra)
    randomize(ours)
    x = torch.randn(options.batch, ours.in_channels, *size, device=options.device)
    contenders = []

    def add(name: str, model: nn.Module, context: bool = False, compiling: bool = False) -> None:
        model.to(options.device).train(options.train)
        forward = compiled(model, options) if compiling else None
        contenders.append(Contender(name, model, step(model, x, options, options.autocast, forward), context,
                                    compiling))

    peer = mmpose_hrformer()
    if peer is not None:
        theirs = peer(copy.deepcopy(extra))
        theirs.load_state_dict(ours.state_dict())
        add("mmpose's HRFormer", theirs)
        if options.compile:
            add("mmpose's, compiled", theirs, compiling=True)
    add(OURS, ours)
    if options.train:
        for with_cp in ('cheap', True):
            saving = HRFormer(extra=extra, with_cp=with_cp)
            saving.load_state_dict(ours.state_dict())
            add(f'{OURS}, with_cp={with_cp!r}', saving)
        if options.compile:
            add(f'{OURS}, compiled', ours, compiling=True)
    else:
        contenders += deployed(ours, x, options)
    if options.context:
        others = require('mmpretrain.models.backbones', 'mmpretrain')
        swin = others.SwinTransformer('small', drop_path_rate=0.0, out_indices=(0, 1, 2, 3), pad_small_map=True)
        add("mmpretrain's Swin-S", swin, context=True)
        add("mmpretrain's HRNet-W48", others.HRNet('w48'), context=True)
    return contenders


def deployed(model: nn.Module, x: torch.Tensor, options: Options, method: Optional[Callable] = None) -> list[Contender]:
    """The forms for inference that are asked for, weights and images in the dtype asked for.

    Args:
        method (callable, optional): From a model to what is called in its place.
    """
    forms = []
    if options.deploy:
        forms.append((f'{OURS}, deployment form', to_deploy(model), False))
    if options.graphs:
        forms.append((f'{OURS}, deployment form, CUDA graphs', to_deploy(model, cuda_graphs=True), False))
    if options.compile:
        forms.append((f'{OURS}, deployment form, compiled', to_deploy(model, compile=True), True))
    contenders = []
    for name, form, compiling in forms:
        form = form.to(options.torch_dtype)
        forward = None if method is None else method(form)
        contenders.append(Contender(name, form, step(form, x.to(options.torch_dtype), options, forward=forward),
                                    compiled=compiling))
    return contenders
