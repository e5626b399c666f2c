"""The runtime's drawing functions with DejaVu Sans, a font of matplotlib that covers many alphabets."""

from functools import partial
from pathlib import Path

import matplotlib

from ...runtime import drawing

FONT = str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))
add_legend = partial(drawing.add_legend, font=FONT)
draw_labels = partial(drawing.draw_labels, font=FONT)
draw_segmentation = partial(drawing.draw_segmentation, font=FONT)
