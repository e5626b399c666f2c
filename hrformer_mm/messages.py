"""Known harmless messages of the stack, which `hrformer-mm` and :class:`~hrformer_mm.hooks.QuietHook` filter.

Nothing else is filtered. An entry states why the message tells a user nothing.
"""

import logging
import re
import warnings

# Starts of messages of the module `warnings`, as regular expressions.
WARNINGS = (
    'pkg_resources is deprecated',  # mim and mmengine import it
    '``build_(loss|pixel_sampler)`` would be deprecated',  # mmseg's own heads call them
    r'The metainfo config file "configs/_base_/datasets/\S+" does not exist\. A matched',  # mmpose found its own file
    'When align_corners=True, the output would more aligned',  # the released weights require align_corners
    r"Failed to add <class 'mmengine\.visualization\.vis_backend\.LocalVisBackend'>",  # an inferencer writes no log
    'The draw is False, it means that the hook for visualization',  # the default: draw nothing without --show-dir
    r'Warning: The \w+ is out of bounds, the drawn \w+ may not be in the image',  # as parts of people may be
)
# Parts of records of mmengine's logger.
RECORDS = re.compile(
    '|'.join(
        (
            '^paramwise_options -- ',  # a line for each option of each parameter
            '^"FileClient" will be deprecated',  # mmengine's own hooks use it
            '^"HardDiskBackend" is the alias',
            'in the "function" registry tree',  # mmengine's collate functions, from the scope of a host
            '^The prefix is not set in metric class',  # of mmseg's metrics, which have one name each
        )
    )
)


def filter_warnings() -> None:
    """Ignore the known warnings in this process."""
    for message in WARNINGS:
        warnings.filterwarnings('ignore', message=message)


def filter_log() -> None:
    """Drop the known records of mmengine's current logger."""
    from mmengine.logging import MMLogger  # imports torch

    MMLogger.get_current_instance().addFilter(is_news)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a record is none of the known ones."""
    return not RECORDS.search(record.getMessage())
