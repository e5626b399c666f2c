"""The one scene behind all generated data sets: a street with things and people on it."""

from typing import NamedTuple

import numpy as np

from .canvas import Canvas
from .person import draw_person

GLASS, TYRE, POST, LIGHT = (60, 75, 95), (30, 30, 32), (100, 105, 105), (250, 240, 200)
# Each street shows six of these in a row, from its index on.
STREET = (
    'wall',
    'traffic_light',
    'car',
    'bicycle',
    'vegetation',
    'person',
    'train',
    'pole',
    'fence',
    'motorcycle',
    'truck',
    'traffic_sign',
    'terrain',
    'rider',
    'bus',
    'static',
)
# Stand in for the animals of ImageNet's first ten folders, whose labels are 0 to 9.
CLASSES = dict(
    n01440764='car',
    n01443537='truck',
    n01484850='bus',
    n01491361='train',
    n01494475='motorcycle',
    n01496331='bicycle',
    n01498041='traffic_light',
    n01514668='traffic_sign',
    n01514859='fence',
    n01518878='vegetation',
)
_TYRES = ((TYRE, -0.32, 0, -0.2, 0.25), (TYRE, 0.2, 0, 0.32, 0.25))
_LAMPS = ((LIGHT, -0.25, 0.22, -0.25, 0.22, 0.12), (LIGHT, 0.25, 0.22, 0.25, 0.22, 0.12))
_WHEELS = tuple((colour, x, 0.3, x, 0.3, size) for x in (-0.5, 0.5) for colour, size in ((TYRE, 0.58), (LIGHT, 0.36)))
# Height in metres, width in heights, colour, and shapes in the order of drawing. A shape is a colour (None for the
# thing's own) and x0, y0, x1, y1 of a box or, with a thickness behind them, of a bar. Its unit is the thing's height,
# (0, 0) is the middle of the foot, and y points upwards.
THINGS: dict[str, tuple] = dict(
    wall=(
        1.7,
        2.6,
        (150, 135, 95),
        (None, -1.3, 0, 1.3, 1),
        *(((120, 105, 70), -1.3, y, 1.3, y, 0.03) for y in (0.25, 0.5, 0.75)),
    ),
    fence=(
        1.5,
        2.8,
        (125, 80, 45),
        (None, -1.4, 0, 1.4, 0.95),
        *(((75, 45, 25), x / 5, 0, x / 5, 1, 0.06) for x in range(-7, 8)),
    ),
    terrain=(0.9, 5.5, (160, 165, 75), (None, -2.5, 0.25, 2.5, 0.25, 0.5), (None, -1, 0.45, 1.5, 0.45, 0.8)),
    vegetation=(
        5,
        0.6,
        (55, 110, 50),
        ((90, 65, 45), 0, 0, 0, 0.6, 0.07),
        (None, -0.1, 0.65, 0.1, 0.65, 0.4),
        (None, 0, 0.8, 0, 0.8, 0.38),
    ),
    pole=(5.5, 0.04, POST, (None, 0, 0, 0, 1, 0.035)),
    traffic_light=(
        3.6,
        0.24,
        (25, 25, 25),
        (POST, 0, 0, 0, 0.7, 0.05),
        (None, -0.12, 0.5, 0.12, 1),
        ((245, 50, 40), 0, 0.9, 0, 0.9, 0.12),
        ((50, 220, 120), 0, 0.6, 0, 0.6, 0.12),
    ),
    traffic_sign=(
        2.9,
        0.4,
        (30, 70, 200),
        (POST, 0, 0, 0, 0.7, 0.05),
        (None, 0, 0.8, 0, 0.8, 0.4),
        (LIGHT, -0.1, 0.8, 0.1, 0.8, 0.08),
    ),
    car=(
        1.5,
        1.1,
        (45, 85, 165),
        *_TYRES,
        (None, -0.55, 0.15, 0.55, 0.6),
        (None, -0.4, 0.55, 0.4, 1),
        (GLASS, -0.34, 0.62, 0.34, 0.94),
        *_LAMPS,
    ),
    truck=(
        3.3,
        0.8,
        (225, 225, 220),
        *_TYRES,
        (None, -0.4, 0.12, 0.4, 1),
        ((60, 140, 70), -0.35, 0.1, 0.35, 0.62),
        (GLASS, -0.3, 0.36, 0.3, 0.58),
    ),
    bus=(3.1, 0.8, (240, 185, 30), *_TYRES, (None, -0.4, 0.08, 0.4, 1), (GLASS, -0.36, 0.38, 0.36, 0.8), *_LAMPS),
    train=(
        3.6,
        0.76,
        (185, 35, 45),
        (None, -0.38, 0.03, 0.38, 1),
        (GLASS, -0.32, 0.5, -0.03, 0.85),
        (GLASS, 0.03, 0.5, 0.32, 0.85),
        *_LAMPS,
    ),
    motorcycle=(
        1.15,
        1.6,
        (110, 30, 110),
        *_WHEELS,
        (None, -0.5, 0.35, 0.35, 0.55, 0.3),
        (None, 0.5, 0.3, 0.35, 0.95, 0.1),
        (TYRE, -0.4, 0.7, 0, 0.7, 0.1),
    ),
    bicycle=(
        1.1,
        1.6,
        (30, 190, 190),
        *_WHEELS,
        (None, -0.5, 0.3, -0.15, 0.85, 0.09),
        (None, -0.15, 0.75, 0.4, 0.75, 0.09),
        (None, 0, 0.3, 0.4, 0.75, 0.09),
        (None, 0.5, 0.3, 0.38, 0.98, 0.09),
    ),
    static=(1.1, 0.9, (75, 90, 80), (None, -0.35, 0, 0.35, 0.9), (TYRE, -0.4, 0.88, 0.4, 0.88, 0.12)),
    person=(1.75, 0.72),
    rider=(1.1, 1.6),
)  # these have no shapes: draw_person draws them


class Scene(NamedTuple):
    """A picture (height, width, 3), RGB, and its labels, all uint8, and the keypoints of its people.

    ``kinds`` (height, width) are indices into KINDS, ``persons`` (height, width) are 0 for nobody and n for the n-th
    person, whose ``keypoints`` (17, 3), int64, are x, y and visibility: 0 outside of the picture, 1 hidden, 2 seen.
    """

    image: np.ndarray
    kinds: np.ndarray
    persons: np.ndarray
    keypoints: list[np.ndarray]


def draw_scene(rng: np.random.Generator, size: tuple[int, int], subject: str, index: int) -> Scene:
    """Draw a street, and the subject in front of it.

    Args:
        rng (np.random.Generator): Random numbers of the image.
        size (Tuple[int, int]): Width and height in pixels.
        subject (str): 'street' (six of STREET) or, close to the camera, 'people' (up to three) or 'class' (of CLASSES).
        index (int): Number of the image, which decides on the subject of streets and classes.
    """
    canvas, people = Canvas(size), []
    width, height = size
    horizon, middle = height * rng.uniform(0.4, 0.48), width * rng.uniform(0.42, 0.58)
    # Depth is 0 at the horizon and 1 at the bottom of the picture. Sizes are proportional to it.
    metre = min(height - horizon, width / 2) / 1.9  # in pixels, at depth 1, from 1.9 m above the ground
    road = metre * rng.uniform(3.0, 4.5)  # half of its width
    draw_backdrop(canvas, rng, horizon, middle, road)

    if subject == 'people':
        names = ['person'] * min(int(rng.choice((1, 2, 3), p=(0.5, 0.3, 0.2))), max(round(3 * width / height), 1))
    elif subject == 'class':
        names = [list(CLASSES.values())[index % len(CLASSES)]]
    else:
        names = [STREET[(index + step) % len(STREET)] for step in rng.permutation(6)]
    slots = (rng.permutation(len(names)) + rng.uniform(0.35, 0.65, len(names))) * width / len(names)
    for name, x, depth in zip(names, slots, np.sort(rng.uniform(0.2, 0.7, len(names)))):
        y, tall = horizon + depth * (height - horizon), THINGS[name][0] * metre * depth
        if subject != 'street':
            # A person alone may be too near for the legs to be in the picture.
            share = rng.uniform(0.6, 1.3 if names == ['person'] else 0.92) / len(names) ** 0.3
            tall = share * min(height, width / THINGS[name][1])
            y = max(height * rng.uniform(0.92, 1.0), 1.05 * tall)
        if name == 'person':
            people.append(draw_person(canvas, rng, (x, y), tall, name, len(people) + 1))
        elif name == 'rider':
            draw_thing(canvas, rng, str(rng.choice(['bicycle', 'motorcycle'])), x, y, tall)
            draw_person(canvas, rng, (x, y - 0.3 * tall), 1.4 * tall, name)
        else:
            draw_thing(canvas, rng, name, x, y, tall)
        if subject == 'people' and rng.random() < 0.2:  # something hides the legs
            draw_thing(canvas, rng, 'static', x + 0.15 * tall * rng.uniform(-1, 1), min(y, height), 0.35 * tall)
    kinds, persons = canvas.labels[..., 0], canvas.labels[..., 1]
    keypoints = [label_keypoints(points, persons == number) for number, points in enumerate(people, 1)]
    return Scene(canvas.photograph(rng), kinds, persons, keypoints)


def draw_backdrop(canvas: Canvas, rng: np.random.Generator, horizon: float, middle: float, road: float) -> None:
    """Draw the sky, houses and hedges up to the horizon, and below it a sidewalk and a road."""
    height, width = canvas.image.shape[:2]
    canvas.box(-1, -1, width, height, rng.normal((160, 195, 230), 10), 'sky')
    left, step = 0.0, 0.1 * height
    while left < width:
        right, top = left + height * rng.uniform(0.2, 0.45), horizon - height * rng.uniform(0.1, 0.3)
        if rng.random() < 0.6:
            colour = rng.normal(((175, 120, 100), (205, 180, 145), (140, 110, 115))[rng.integers(3)], 10)
            canvas.box(left, top, right, horizon + 1, colour, 'building')
            for x in np.arange(left + 0.03 * height, right - step, step):
                for y in np.arange(top + 0.03 * height, horizon - step, step):
                    canvas.box(x, y, x + 0.4 * step, y + 0.4 * step, 0.6 * colour, 'building')
        else:
            canvas.bar(
                (left, horizon), (right, horizon), 1.4 * (horizon - top), rng.normal((55, 110, 50), 8), 'vegetation'
            )
        left = right
    canvas.box(-1, horizon, width, height, rng.normal((170, 150, 150), 10), 'sidewalk')
    for half, colour in ((road, rng.normal((90, 90, 95), 10)), (0.03 * road, LIGHT)):
        canvas.polygon([(middle, horizon), (middle - half, height), (middle + half, height)], colour, 'road')


def draw_thing(canvas: Canvas, rng: np.random.Generator, name: str, x: float, y: float, tall: float) -> None:
    """Draw one of :data:`THINGS`, ``tall`` pixels high, whose foot is at (x, y)."""
    own = rng.normal(THINGS[name][2], 10)
    for colour, *numbers in THINGS[name][3:]:
        kind, colour = 'pole' if colour is POST else name, own if colour is None else colour
        start, end = (np.array(point) * (tall, -tall) + (x, y) for point in (numbers[:2], numbers[2:4]))
        if len(numbers) == 4:
            canvas.box(*start, *end, colour, kind)
        else:
            canvas.bar(start, end, numbers[4] * tall, colour, kind)


def label_keypoints(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Whole pixels and visibility (17, 3) of the keypoints (17, 2) of a person who is seen at ``mask``."""
    x, y = np.round(points).astype(np.int64).T
    inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
    x, y = x * inside, y * inside
    return np.stack([x, y, inside * (1 + mask[y, x])], axis=1)
