"""mmseg's segmentor, with its door for weights."""

from typing import Any

from mmseg.models.segmentors import EncoderDecoder as MMSegEncoderDecoder

from ..registry import MODELS
from ..weights import accept_whole_files
from .whole import check_model


@MODELS.register_module()
class EncoderDecoder(MMSegEncoderDecoder):
    """mmseg's `EncoderDecoder`, whose `load_state_dict` also accepts the authors' segmentation files.

    The names of their heads have no prefix, so only a hook of the whole model sees them. mmseg's own class needs what
    `hrformer-mm convert` writes.

    Raises:
        ValueError: If the parts disagree, see :func:`check_model`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._register_load_state_dict_pre_hook(accept_whole_files)
        check_model(self)

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """The depth of a parameter, for mmpretrain's layer-wise learning rates: see the backbone's method."""
        return self.backbone.get_layer_depth(param_name, 'backbone.')
