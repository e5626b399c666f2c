"""A model on an image: what is computed is drawn and written."""

import json
from typing import Optional

import torch
from torch import Tensor

from ...models import HRFormer
from ..folder import make_folder
from .attention import attention_of
from .capture import check_number, find_blocks, last_streams, recording
from .explanation import Explanation, Field, Stream
from .features import principal_components
from .grid import WindowGrid
from .network import load_network, read_picture
from .pictures import PICTURES, write
from .receptive_field import has_dwconv, receptive_field, without_dwconv

JSON = 'explanation.json'
MAX_SIDE = 512


def explain(config: str, checkpoint: str, image: str, folder: str, pixel: Optional[tuple[int, int]] = None,
            stage: int = 4, module: int = 0, block: int = 0, stream: int = 0, max_side: int = MAX_SIDE,
            device: Optional[str] = None) -> Explanation:
    """Write pictures of what an HRFormer does on an image into a folder, and the numbers behind them.

    Args:
        config, checkpoint, device: See :func:`~hrformer_mm.commands.explain.network.load_network`.
        image, max_side, pixel: See :func:`~hrformer_mm.commands.explain.network.read_picture`.
        folder (str): It is made if it is not there.
        stage, module, block, stream (int): The block to look into: stage 2 to 4, the others from 0.

    Raises:
        FileNotFoundError, ValueError: If an argument cannot be used.
        OSError: If the folder cannot be written to.
    """
    picture = read_picture(image, max_side, pixel)
    backbone, preprocessor = load_network(config, checkpoint, device)
    blocks = find_blocks(backbone, stage, module, block)
    check_number('stream', stream, len(blocks), f'stage {stage}')
    images = picture.inputs(preprocessor)
    target = make_folder(folder, JSON)

    with torch.no_grad(), recording(dict(enumerate(blocks)), inputs=True) as inputs:
        maps = last_streams(backbone, images)
    grids = [WindowGrid.of(one, tuple(inputs[i].shape[2:]), 4 * 2**i) for i, one in enumerate(blocks)]
    place = grids[stream].place_of(picture.pixel)
    result = Explanation(
        config, checkpoint, picture, (images.shape[3], images.shape[2]), stage, module, block, stream,
        [_stream(x[0], i, i in backbone.out_indices) for i, x in enumerate(maps)], grids,
        attention_of(blocks[stream], inputs[stream], grids[stream], place),
        *_fields(backbone, images, (stage, module, block, stream), inputs[stream], grids[stream], place))

    for name in PICTURES:
        result.pictures[name] = write(result, target / name)
    (target / JSON).write_text(json.dumps(result.as_dict()), encoding='utf-8')
    return result


def _stream(x: Tensor, number: int, is_output: bool) -> Stream:
    colours, variance = principal_components(x)
    return Stream(x.shape[0], tuple(x.shape[1:]), 4 * 2**number, is_output, colours, variance,
                  x.mean(0).cpu().numpy())


def _fields(backbone: HRFormer, images: Tensor, where: tuple[int, int, int, int], x: Tensor, grid: WindowGrid,
            place: tuple[int, int]) -> tuple[Field, Field]:
    """Of a block, on its input `x`, and of the whole backbone."""
    stride, stream = grid.stride, where[3]
    corner = grid.corner_of(place)
    of_block = Field(corner, stride, corner, {})
    centre = tuple(min(at * stride, size - 1) for at, size in zip(place, images.shape[2:]))
    of_backbone = Field(place, 1, centre, {})
    for with_dwconv in ([True, False] if has_dwconv(backbone) else [False]):
        network = backbone if with_dwconv else without_dwconv(backbone)
        block = find_blocks(network, *where[:3])[stream]
        of_block.values[with_dwconv] = receptive_field(block, x, corner)
        of_backbone.values[with_dwconv] = receptive_field(lambda y: last_streams(network, y)[stream], images, place)
    return of_block, of_backbone
