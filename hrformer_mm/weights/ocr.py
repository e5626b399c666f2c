"""What a complete OCR head holds, to check a file where mmseg is not installed."""

import math


def ocr_shapes(in_channels: int, num_classes: int, version: str, channels: int = 512,
               key_channels: int = 256) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of an `OCRHead` of `version` 'v2' or 'v3' over branches of `in_channels` channels together."""
    kernel, groups = (3, 1) if version == 'v2' else (7, math.gcd(in_channels, channels))
    entry = (channels, in_channels // groups, kernel, kernel)
    convs = {  # each followed by a batch norm
        'pixels.0': entry,
        'auxiliary.0': entry,
        'attention.query.0': (key_channels, channels, 1, 1),
        'attention.query.3': (key_channels, key_channels, 1, 1),
        'attention.key.0': (key_channels, channels, 1, 1),
        'attention.key.3': (key_channels, key_channels, 1, 1),
        'attention.value.0': (key_channels, channels, 1, 1),
        'attention.project.0': (channels, key_channels, 1, 1),
        'fuse.0': (channels, 2 * channels, 1, 1),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, weight in convs.items():
        module, number = name.rsplit('.', 1)
        norm = f'{module}.{int(number) + 1}'
        shapes.update({f'{name}.weight': weight, f'{name}.bias': weight[:1], f'{norm}.num_batches_tracked': ()})
        shapes.update({f'{norm}.{leaf}': weight[:1] for leaf in ('weight', 'bias', 'running_mean', 'running_var')})
    for name in ('auxiliary.3', 'conv_seg'):
        shapes[f'{name}.weight'] = (num_classes, channels, 1, 1)
        shapes[f'{name}.bias'] = (num_classes, )
    return shapes
