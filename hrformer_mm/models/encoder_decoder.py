"""mmseg's segmentor, with its door for weights."""

from typing import Any

from mmseg.models.segmentors import EncoderDecoder as MMSegEncoderDecoder

from ..registry import MODELS
from ..weights import accept_whole_files


@MODELS.register_module()
class EncoderDecoder(MMSegEncoderDecoder):
    """mmseg's `EncoderDecoder`, whose `load_state_dict` also accepts the authors' segmentation files.

    The names of their heads have no prefix, so only a hook of the whole model sees them. mmseg's own class needs what
    `hrformer-mm convert` writes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._register_load_state_dict_pre_hook(accept_whole_files)
