"""mmseg's segmentor, extended to load the authors' checkpoints."""

from typing import Any

from mmseg.models.segmentors import EncoderDecoder as MMSegEncoderDecoder

from ..registry import MODELS
from ..weights import accept_whole_files
from .whole import check_model


@MODELS.register_module()
class EncoderDecoder(MMSegEncoderDecoder):
    """mmseg's `EncoderDecoder`, whose `load_state_dict` also accepts the authors' segmentation checkpoints.

    The authors' names of weights of the head have no prefix, so that only a hook of the whole model can rename them.
    mmseg's own class requires a checkpoint that `hrformer-mm convert` wrote.

    Raises:
        ValueError: If the parts of the model are inconsistent, see :func:`check_model`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._register_load_state_dict_pre_hook(accept_whole_files)
        check_model(self)

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Return the depth of a parameter for layer-wise learning rate decay, see :meth:`HRFormer.get_layer_depth`."""
        return self.backbone.get_layer_depth(param_name, 'backbone.')
