"""The scene that all synthetic data sets show: a street with things and people."""

from typing import NamedTuple

import numpy as np

from .canvas import Canvas, Vector
from .person import draw_person

GLASS, TYRE, POST, LIGHT = (60, 75, 95), (30, 30, 32), (100, 105, 105), (250, 240, 200)
# The first ten class folders of ImageNet, whose labels are 0 to 9, show these things instead of animals.
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
# What a street consists of: height in metres, width as a multiple of the height, and colour. A street shows six of
# these, starting at its index.
THINGS: dict[str, tuple] = dict(
    wall=(1.7, 2.6, (150, 135, 95)),
    traffic_light=(3.6, 0.24, (25, 25, 25)),
    car=(1.5, 1.1, (45, 85, 165)),
    bicycle=(1.1, 1.6, (30, 190, 190)),
    vegetation=(5, 0.6, (55, 110, 50)),
    person=(1.75, 0.72, None),
    train=(3.6, 0.76, (185, 35, 45)),
    pole=(5.5, 0.04, POST),
    fence=(1.5, 2.8, (125, 80, 45)),
    motorcycle=(1.15, 1.6, (110, 30, 110)),
    truck=(3.3, 0.8, (225, 225, 220)),
    traffic_sign=(2.9, 0.4, (30, 70, 200)),
    terrain=(0.9, 5.5, (160, 165, 75)),
    rider=(1.1, 1.6, None),
    bus=(3.1, 0.8, (240, 185, 30)),
    static=(1.1, 0.9, (75, 90, 80)),
)
# The shapes of each thing, in the order of drawing: a colour (None for the colour of the thing) and x0, y0, x1, y1 of a
# box or, followed by a thickness, of a bar. The unit is the height of the thing, (0, 0) is the centre of its base, and
# the y axis points upwards.
SHAPES: dict[str, tuple] = dict(
    wall=((None, -1.3, 0, 1.3, 1), *(((120, 105, 70), -1.3, y, 1.3, y, 0.03) for y in (0.25, 0.5, 0.75))),
    traffic_light=(
        (POST, 0, 0, 0, 0.7, 0.05),
        (None, -0.12, 0.5, 0.12, 1),
        ((245, 50, 40), 0, 0.9, 0, 0.9, 0.12),
        ((50, 220, 120), 0, 0.6, 0, 0.6, 0.12),
    ),
    car=(
        *_TYRES,
        (None, -0.55, 0.15, 0.55, 0.6),
        (None, -0.4, 0.55, 0.4, 1),
        (GLASS, -0.34, 0.62, 0.34, 0.94),
        *_LAMPS,
    ),
    bicycle=(
        *_WHEELS,
        (None, -0.5, 0.3, -0.15, 0.85, 0.09),
        (None, -0.15, 0.75, 0.4, 0.75, 0.09),
        (None, 0, 0.3, 0.4, 0.75, 0.09),
        (None, 0.5, 0.3, 0.38, 0.98, 0.09),
    ),
    vegetation=(((90, 65, 45), 0, 0, 0, 0.6, 0.07), (None, -0.1, 0.65, 0.1, 0.65, 0.4), (None, 0, 0.8, 0, 0.8, 0.38)),
    train=((None, -0.38, 0.03, 0.38, 1), (GLASS, -0.32, 0.5, -0.03, 0.85), (GLASS, 0.03, 0.5, 0.32, 0.85), *_LAMPS),
    pole=((None, 0, 0, 0, 1, 0.035),),
    fence=((None, -1.4, 0, 1.4, 0.95), *(((75, 45, 25), x / 5, 0, x / 5, 1, 0.06) for x in range(-7, 8))),
    motorcycle=(
        *_WHEELS,
        (None, -0.5, 0.35, 0.35, 0.55, 0.3),
        (None, 0.5, 0.3, 0.35, 0.95, 0.1),
        (TYRE, -0.4, 0.7, 0, 0.7, 0.1),
    ),
    truck=(
        *_TYRES,
        (None, -0.4, 0.12, 0.4, 1),
        ((60, 140, 70), -0.35, 0.1, 0.35, 0.62),
        (GLASS, -0.3, 0.36, 0.3, 0.58),
    ),
    traffic_sign=((POST, 0, 0, 0, 0.7, 0.05), (None, 0, 0.8, 0, 0.8, 0.4), (LIGHT, -0.1, 0.8, 0.1, 0.8, 0.08)),
    terrain=((None, -2.5, 0.25, 2.5, 0.25, 0.5), (None, -1, 0.45, 1.5, 0.45, 0.8)),
    bus=(*_TYRES, (None, -0.4, 0.08, 0.4, 1), (GLASS, -0.36, 0.38, 0.36, 0.8), *_LAMPS),
    static=((None, -0.35, 0, 0.35, 0.9), (TYRE, -0.4, 0.88, 0.4, 0.88, 0.12)),
)


class Scene(NamedTuple):
    """An image, its label maps, and the keypoints of its people.

    Attributes:
        image (np.ndarray): (H, W, 3), uint8, RGB.
        kinds (np.ndarray): (H, W), uint8: the index in :data:`KINDS` of each pixel.
        persons (np.ndarray): (H, W), uint8: n where the n-th person is visible, 0 elsewhere.
        keypoints (List[np.ndarray]): (17, 3), int64, of each person: x, y and visibility, which is 0 outside the
            image, 1 if hidden and 2 if visible.
    """

    image: np.ndarray
    kinds: np.ndarray
    persons: np.ndarray
    keypoints: list[np.ndarray]


def draw_scene(rng: np.random.Generator, size: tuple[int, int], subject: str, index: int) -> Scene:
    """Draw a street with a subject in front of it.

    Args:
        rng (np.random.Generator): The source of all random choices.
        size (Tuple[int, int]): Width and height in pixels.
        subject (str): 'street' (six of THINGS) or, close to the camera, 'people' (one to three) or 'class' (one of
            CLASSES).
        index (int): The number of the image, which selects the things of a street, or the class.
    """
    canvas = Canvas(size)
    people: list[np.ndarray] = []
    width, height = size
    horizon, middle = height * rng.uniform(0.4, 0.48), width * rng.uniform(0.42, 0.58)
    # Depth is 0 at the horizon and 1 at the bottom of the image. Sizes are proportional to it.
    metre = min(height - horizon, width / 2) / 1.9  # in pixels at depth 1, for a camera 1.9 m above the ground
    road = metre * rng.uniform(3.0, 4.5)  # half its width
    draw_backdrop(canvas, rng, horizon, middle, road)

    if subject == 'people':
        names = ['person'] * min(int(rng.choice((1, 2, 3), p=(0.5, 0.3, 0.2))), max(round(3 * width / height), 1))
    elif subject == 'class':
        names = [list(CLASSES.values())[index % len(CLASSES)]]
    else:
        names = [list(THINGS)[(index + step) % len(THINGS)] for step in rng.permutation(6)]
    slots = (rng.permutation(len(names)) + rng.uniform(0.35, 0.65, len(names))) * width / len(names)
    for name, x, depth in zip(names, slots, np.sort(rng.uniform(0.2, 0.7, len(names)))):
        y, tall = horizon + depth * (height - horizon), THINGS[name][0] * metre * depth
        if subject != 'street':
            # A single person may be so near that the legs are outside the image.
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
        if subject == 'people' and rng.random() < 0.2:  # an object hides the legs
            draw_thing(canvas, rng, 'static', x + 0.15 * tall * rng.uniform(-1, 1), min(y, height), 0.35 * tall)
    kinds, persons = canvas.labels[..., 0], canvas.labels[..., 1]
    keypoints = [label_keypoints(points, persons == number) for number, points in enumerate(people, 1)]
    return Scene(canvas.photograph(rng), kinds, persons, keypoints)


def draw_backdrop(canvas: Canvas, rng: np.random.Generator, horizon: float, middle: float, road: float) -> None:
    """Draw the sky, houses and hedges above the horizon, and a sidewalk and a road below it."""
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
    lanes: list[tuple[float, Vector]] = [(road, rng.normal((90, 90, 95), 10)), (0.03 * road, LIGHT)]
    for half, paint in lanes:
        canvas.polygon([(middle, horizon), (middle - half, height), (middle + half, height)], paint, 'road')


def draw_thing(canvas: Canvas, rng: np.random.Generator, name: str, x: float, y: float, tall: float) -> None:
    """Draw one of :data:`SHAPES`, ``tall`` pixels high, with its base at (x, y)."""
    own = rng.normal(THINGS[name][2], 10)
    for colour, *numbers in SHAPES[name]:
        kind, colour = 'pole' if colour is POST else name, own if colour is None else colour
        start, end = (np.array(point) * (tall, -tall) + (x, y) for point in (numbers[:2], numbers[2:4]))
        if len(numbers) == 4:
            canvas.polygon([start, (end[0], start[1]), end, (start[0], end[1])], colour, kind)
        else:
            canvas.bar(start, end, numbers[4] * tall, colour, kind)


def label_keypoints(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Round the keypoints (17, 2) of a person to pixels, and add their visibility according to ``mask`` (H, W)."""
    x, y = np.round(points).astype(np.int64).T
    inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
    x, y = x * inside, y * inside
    return np.stack([x, y, inside * (1 + mask[y, x])], axis=1)
