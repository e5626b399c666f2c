"""Refine a folder of label maps."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from ..segfix import refine_labels
from ..segfix.files import read_offsets
from .common import bar, errors
from .folder import check_folder


def segfix(
    labels: str | Path,
    offsets: str | Path,
    output: str | Path,
    scale: int = 2,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> list[Path]:
    """Refine every label map of a folder, and write it with the palette that it has.

    Args:
        labels, offsets (str): Folders: NAME.png of label maps, NAME.mat of offsets.
        output (str): Folder to write to, made if it is not there.
        scale (int): Factor of the offsets.
        progress (callable, optional): Goes around the iteration over files.

    Returns:
        list[Path]: What was written.

    Raises:
        FileNotFoundError: If there are no label maps, or not the offsets of one: told before anything is written.
        ValueError: If a file is no label map, or offsets are of another size, or output is the folder of the labels.
    """
    labels, offsets, output = Path(labels), Path(offsets), Path(output)
    files = sorted(labels.glob('*.png'))
    if not files:
        raise FileNotFoundError(f'there are no label maps {labels}/*.png')
    if output.resolve() == labels.resolve():
        raise ValueError(f'{output} is the folder of the label maps: name another one, they would be lost')
    missing = [file.stem for file in files if not (offsets / f'{file.stem}.mat').is_file()]
    if missing:
        raise FileNotFoundError(
            f'{offsets} lacks {missing[0]}.mat ({len(missing)} of {len(files)} files): offsets and '
            'label maps must have the same names'
        )
    check_folder(output, [file.name for file in files], [*files, *offsets.glob('*.mat')])
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for file in progress(files, 'label maps') if progress else files:
        try:
            with Image.open(file) as image:
                palette, array = image.getpalette(), np.array(image)
            if array.ndim != 2:
                raise ValueError(f'it has {array.shape[2]} channels, a label map has one')
            refined = refine_labels(
                torch.from_numpy(array.astype(np.int64)),
                torch.from_numpy(read_offsets(offsets / f'{file.stem}.mat')),
                scale,
            )
        except (OSError, ValueError) as error:
            raise ValueError(f'{file}: {error}') from error
        image = Image.fromarray(refined.numpy().astype(array.dtype))
        if palette:
            image.putpalette(palette)
        image.save(output / file.name)
        written.append(output / file.name)
    return written


@click.command('segfix')
@click.argument('labels', type=click.Path(exists=True, file_okay=False))
@click.argument('offsets', type=click.Path(exists=True, file_okay=False))
@click.argument('output', type=click.Path())
@click.option('--scale', type=click.IntRange(min=1), default=2, show_default=True, help='Factor of the offsets.')
def command(labels: str, offsets: str, output: str, scale: int) -> None:
    """Refine label maps near boundaries: those in the folder LABELS, by the files in OFFSETS, written to OUTPUT.

    Offsets are the SegFix authors' files, or come from a SegFix model: mim test mmseg
    configs/segfix_hrnet-w18_cityscapes.py -C WEIGHTS. Labels and offsets have the same names: NAME.png, NAME.mat.
    """
    with errors():
        written = segfix(labels, offsets, output, scale, bar)
    click.echo(f'Wrote {len(written)} label maps to {output}.')
