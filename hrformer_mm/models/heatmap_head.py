"""Top-down heatmap head (HRFormer, section 4.1) built on mmpose's losses, codecs and decoding."""

from collections.abc import Sequence
from typing import Any

from mmpose.models.heads import HeatmapHead
from mmpose.registry import KEYPOINT_CODECS
from mmpose.registry import MODELS as MMPOSE_MODELS
from torch import Tensor

from ..arguments import check_config, check_int
from ..registry import MODELS
from ..weights import accept_layouts
from .inputs import check_maps


@MODELS.register_module()
class TopdownHeatmapHead(HeatmapHead):
    """1x1 convolution over one branch.

    Unlike mmpose's `HeatmapHead`, it has no deconvolutions, and it selects the finest map of the backbone instead of
    the last one, so that it needs no neck.

    Args:
        in_channels (int): Number of channels of the branch.
        out_channels (int): Number of keypoints.
        in_index (int): Index of the backbone's map to use. Default: 0, the finest map.
        loss (dict): Config of one of mmpose's losses. Default: dict(type='KeypointMSELoss', use_target_weight=True).
        decoder (dict, optional): Config of one of mmpose's codecs, which decodes heatmaps to coordinates.
            Default: None.
        init_cfg (dict, optional): Initialization config of mmengine. Default: that of mmpose, a normal distribution
            with a standard deviation of 0.001.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        in_index: int = 0,
        loss: dict[str, Any] = dict(type='KeypointMSELoss', use_target_weight=True),
        decoder: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        for name, value in (('in_channels', in_channels), ('out_channels', out_channels)):
            check_int(name, value)
        check_config('loss', loss, MMPOSE_MODELS, "dict(type='KeypointMSELoss')")
        if decoder is not None:
            check_config('decoder', decoder, KEYPOINT_CODECS, "dict(type='MSRAHeatmap', input_size=(192, 256), …)")
        check_int('in_index', in_index, lowest=0)
        super().__init__(
            in_channels, out_channels, deconv_out_channels=None, loss=loss, decoder=decoder, init_cfg=init_cfg
        )
        self.in_index = in_index
        accept_layouts(self, 'head.')

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Compute heatmaps (N, out_channels, h, w) from the backbone's maps (N, C_i, H_i, W_i), of the size of one.

        Raises:
            TypeError: If the maps are not a tuple of tensors or have the wrong dtype.
            ValueError: If the number or the shapes of the maps are wrong.
        """
        check_maps(feats, (self.in_index,), (self.in_channels,), self)
        return self.final_layer(feats[self.in_index])
