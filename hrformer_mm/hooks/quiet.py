"""The hook that keeps the log of a run readable."""

from mmengine.hooks import Hook

from ..arguments import check_bool
from ..messages import filter_log, filter_warnings
from ..registry import HOOKS


@HOOKS.register_module()
class QuietHook(Hook):
    """Filters the known harmless messages of the stack that :mod:`hrformer_mm.messages` lists.

    It filters from its construction on, since a runner logs most of them before the first call of a hook.

    Args:
        enabled (bool): Whether it filters. Default: True.
    """

    def __init__(self, enabled: bool = True) -> None:
        check_bool('enabled', enabled)
        if enabled:
            filter_warnings()
            filter_log()
