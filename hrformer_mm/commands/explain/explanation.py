"""Compute the explanation of an image, and write its files."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...runtime.images import drawable
from ..folder import check_folder
from ..model import ALL_TASKS, read_config
from .attention import attention_of
from .network import check_number, find_blocks, load_network, preprocess, run
from .picture import read_picture
from .pictures import PICTURES, Explanation, write
from .receptive_field import describe_field, receptive_field, with_and_without_dwconv
from .windows import windows_of


def explain(
    config: str,
    checkpoint: str,
    image: str,
    folder: str,
    pixel: tuple[int, int] | None = None,
    stage: int = 4,
    module: int = 0,
    block: int = 0,
    branch: int = 0,
    max_side: int = 512,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write pictures of what an HRFormer computes on an image, and their numbers, into a folder.

    Args:
        config (str): A config file of mmseg, mmpose, mmpretrain or mmdet, or a name in the zoo.
        checkpoint, device: See :func:`~hrformer_mm.commands.explain.network.load_network`.
        image, max_side, pixel: See :func:`~hrformer_mm.commands.explain.picture.read_picture`.
        folder (str): Output folder, which is created if it does not exist.
        stage, module, block, branch (int): The block to explain: stage 2 to 4, the others from 0.
        options (Mapping[str, Any], optional): Changes to the config.

    Returns:
        dict: The content of explanation.json. Lengths are in pixels of the network's input; positions and windows are
        in rows and columns of a map.

    Raises:
        FileNotFoundError, ValueError: If an argument is invalid, or an output would overwrite an input.
        OSError: If the folder cannot be written to.
    """
    cfg = read_config(config, ALL_TASKS, options)
    target = check_folder(folder, [*PICTURES, 'explanation.json'], [image, cfg.filename, checkpoint])
    seen, about_image = read_picture(cfg, image, max_side, pixel)
    backbone, preprocessor = load_network(cfg, checkpoint, device)
    blocks = find_blocks(backbone, stage, module, block)
    check_number('branch', branch, range(len(blocks)))
    images = preprocess(seen, preprocessor)
    target.mkdir(parents=True, exist_ok=True)

    with torch.no_grad():
        maps, inputs = run(backbone, images)
    grids = [windows_of(one, inputs[one].shape[2:], 4 * 2**i) for i, one in enumerate(blocks)]
    x, grid, stride = inputs[blocks[branch]], grids[branch], 4 * 2**branch
    column, row = (at // stride for at in about_image['pixel_seen'])
    window = grid.window_of((row, column))
    corner = grid.corner_of(window)  # a 3x3 convolution reaches other windows only from a border

    fields: dict[str, dict[str, np.ndarray]] = dict(block={}, backbone={})
    for name, network in with_and_without_dwconv(backbone).items():
        fields['block'][name] = receptive_field(find_blocks(network, stage, module, block)[branch], x, corner)
        fields['backbone'][name] = receptive_field(lambda y: run(network, y)[0][branch], images, (row, column))
    components, variances = zip(*(principal_components(x[0]) for x in maps))
    about = dict(
        config=config,
        checkpoint=checkpoint,
        trained=checkpoint != 'none',
        image=about_image,
        input_size=images.shape[:1:-1],
        stage=stage,
        module=module,
        block=block,
        branch=branch,
        branches=[
            dict(
                stride=4 * 2**i,
                channels=x.shape[1],
                map=x.shape[2:],
                is_output=i in backbone.out_indices,
                variance_of_components=variances[i],
            )
            for i, x in enumerate(maps)
        ],
        windows=[one.as_dict() for one in grids],
        attention=attention_of(blocks[branch], x, grid, (row, column)),
        receptive_field=dict(
            block=dict(
                {name: describe_field(field, corner, window, stride) for name, field in fields['block'].items()},
                position=corner,
                cell=stride,
            ),
            backbone=dict(
                {
                    name: describe_field(field, (row * stride, column * stride), window.times(stride))
                    for name, field in fields['backbone'].items()
                },
                position=(row, column),
                cell=1,
            ),
        ),
    )
    about['pictures'] = write(Explanation(about, drawable(seen)[..., ::-1], grids, components, fields), target)
    (target / 'explanation.json').write_text(json.dumps(about), encoding='utf-8')
    return about


def principal_components(x: Tensor) -> tuple[np.ndarray, list[float]]:
    """Compute the first three principal components of a map's channels, over its positions.

    Returns:
        tuple[np.ndarray, list[float]]: The components of a map (C, H, W) as colors (H, W, 3) in [0, 1], each scaled
        from its 1st to its 99th percentile; and the share of the variance in each.
    """
    values = x.double().flatten(1).cpu().numpy()
    values = values - values.mean(1, keepdims=True)
    _, directions = np.linalg.eigh(values @ values.T)  # in ascending order
    components = directions[:, :-4:-1].T @ values
    low, high = np.percentile(components, [1, 99], axis=1, keepdims=True)
    colors = ((components - low) / np.maximum(high - low, 1e-12)).clip(0, 1)
    variances = (components**2).sum(1) / max((values**2).sum(), 1e-300)
    return colors.T.reshape(*x.shape[1:], 3), variances.tolist()
