"""A street as a camera in a car sees it: flat ground, sky, the two sides of the road, and what stands on them."""
from typing import Callable, Dict, List, Tuple

import numpy as np

from .camera import Street
from .drawing import box, ellipse, vary
from .traffic import TRAFFIC

NEAREST, FARTHEST = 3.0, 120.0  # what is drawn of the ground, metres ahead

# What each image shows for certain, three in a row from its index on; the rest is up to chance.
FEATURED = ('wall', 'fence', 'terrain', 'train', 'truck', 'bus', 'motorcycle', 'bicycle', 'person', 'traffic_light',
            'traffic_sign', 'car')
GROUND_FEATURES = ('wall', 'fence', 'terrain')


def draw_street(rng: np.random.Generator, size: Tuple[int, int], index: int,
                labels: Dict[str, int]) -> Tuple[np.ndarray, np.ndarray]:
    """Draw one street scene.

    Args:
        rng (np.random.Generator): Random numbers of the image.
        size (Tuple[int, int]): Width and height in pixels.
        index (int): Number of the image; decides which rare things it shows for certain.
        labels (Dict[str, int]): Label of each kind of thing.

    Returns:
        Tuple[np.ndarray, np.ndarray]: The picture, (height, width, 3), and its labels, (height, width); both uint8.
    """
    street = Street(rng, size, labels)
    featured = [FEATURED[(index + step) % len(FEATURED)] for step in range(3)]
    draw_sky(street)
    road = rng.uniform(4.2, 6.0)  # half of its width, metres
    draw_ground(street, road)
    sides = [-1, 1] if rng.random() < 0.5 else [1, -1]
    for side, feature in zip(sides, ([name for name in featured if name in GROUND_FEATURES] + ['', ''])):
        draw_side(street, side, road, feature)

    things = [name for name in featured if name in TRAFFIC]
    things += list(rng.choice(list(TRAFFIC), rng.integers(5, 10), p=[thing.share for thing in TRAFFIC.values()]))
    placed = []
    for number, name in enumerate(things):
        # The featured ones come first and near, where nothing hides them.
        near, far = (6, 11) if number < 3 and name in featured else (9, 40)
        placed.append((rng.uniform(near, far), name))
    for ahead, name in sorted(placed, reverse=True):
        TRAFFIC[name].draw(street, ahead, road)
    draw_hood(street)
    return street.canvas.develop(rng), street.canvas.labels


def draw_sky(street: Street) -> None:
    """Sky down to the horizon, with clouds, and a far line of houses and trees."""
    rng, (width, height) = street.rng, street.canvas.size
    horizon = street.vanishing_point[1]
    sky = rng.uniform(0, 1)  # from grey to blue
    colour = vary(rng, (205 - 60 * sky, 212 - 25 * sky, 215 + 15 * sky))
    bands = 12
    for band in range(bands):
        # A little below the horizon, so that nothing stays bare between sky and ground.
        street.paint(box(-1, band * horizon / bands, width, 0.6 * height), colour + 3 * band, 'sky', 'coarse')
    for _ in range(rng.integers(0, 4)):
        centre = rng.uniform(0, width), rng.uniform(0, 0.7 * horizon)
        street.paint(ellipse(centre, (width * rng.uniform(0.05, 0.2), height * rng.uniform(0.02, 0.06))),
                     (238, 238, 238), 'sky', 'coarse', 0.5)
    left = 0.0
    while left < width:
        right = left + width * rng.uniform(0.03, 0.1)
        top = horizon - height * rng.uniform(0.03, 0.14)
        if rng.random() < 0.5:
            street.paint(box(left, top, right, horizon + 2), vary(rng, (150, 145, 145)), 'building', 'fine')
        else:
            middle = (left + right) / 2, horizon
            street.paint(ellipse(middle, (0.7 * (right - left), horizon - top)), vary(rng, (95, 115, 90)),
                         'vegetation', 'leaves')
        left = right


def draw_ground(street: Street, road: float) -> None:
    """Road with its markings, and sidewalks to the edge of the view."""
    rng = street.rng
    grey = vary(rng, (104, 102, 102), 14, 4)
    paving = vary(rng, (134, 126, 124), 14, 6)
    street.paint(street.ground(-90, 90, NEAREST, FARTHEST), paving, 'sidewalk', 'coarse')
    for joint in np.arange(NEAREST, 30, 1.5):
        street.paint(street.ground(-30, 30, joint, joint + 0.08), paving - 30, opacity=0.6)
    # From 1 m on, so that the corners of the picture are covered too.
    street.paint(street.ground(-road, road, 1, FARTHEST), grey, 'road', 'fine')
    for side in (-1, 1):
        kerb = sorted((side * road, side * (road + 0.2)))
        street.paint(street.ground(*kerb, 1, FARTHEST), paving + 25, 'sidewalk')
    if rng.random() < 0.7:
        lane = rng.uniform(-0.6, 0.6)
        for start in np.arange(NEAREST + rng.uniform(0, 4), 60, 6):
            street.paint(street.ground(lane - 0.08, lane + 0.08, start, start + 3), (215, 215, 210))


def draw_side(street: Street, side: int, road: float, feature: str) -> None:
    """One side of the road, from far to near: houses, hedges, walls, fences and lawns behind the sidewalk."""
    rng = street.rng
    kinds = ('building', 'vegetation', 'wall', 'fence', 'terrain')
    edge = road + rng.uniform(2.0, 4.5)
    far = FARTHEST
    pieces: List[Tuple[str, float, float]] = []
    while far > NEAREST:
        near = max(far - rng.uniform(6, 14) * (1 + far / 40), NEAREST)
        pieces.append((str(rng.choice(kinds, p=(0.6, 0.14, 0.08, 0.08, 0.1))), near, far))
        far = near
    if feature:
        # From 6 m on: the edge of the picture leaves little of what is nearer.
        pieces = [piece for piece in pieces if piece[1] >= 22] + [(feature, 6.0, 22.0), ('building', NEAREST, 6.0)]
    for kind, near, far in pieces:
        SIDES[kind](street, side * edge, side, near, far)


def draw_building(street: Street, right: float, side: int, near: float, far: float) -> None:
    """A house front along the road and the end that faces the camera, with rows of windows."""
    rng = street.rng
    plaster = vary(rng, ((150, 138, 125), (122, 92, 80), (170, 160, 135), (112, 116, 124))[rng.integers(4)], 14)
    texture = str(rng.choice(['fine', 'bricks', 'coarse']))
    top = rng.uniform(6, 17)
    end = street.project([(right, 0, near), (right + side * 12, 0, near), (right + side * 12, top, near),
                          (right, top, near)])
    street.paint(end, plaster * 0.8, 'building', texture)
    street.paint(street.upright(right, 0, top, near, far), plaster, 'building', texture)
    glass = vary(rng, (70, 80, 95), 20)
    for floor in np.arange(1.0, top - 2, 3.0):
        for bay in np.arange(near + 0.8, min(far, 45) - 1.5, 3.0):
            street.paint(street.upright(right, floor, floor + 1.6, bay, bay + 1.4), vary(rng, glass, 12))


def draw_hedge(street: Street, right: float, side: int, near: float, far: float) -> None:
    """Bushes and trees in a row."""
    rng = street.rng
    for ahead in np.arange(far, near, -3.0):
        top = rng.uniform(1.5, 6)
        centre = street.project([(right + side * 1.5, top / 2, ahead)])[0]
        radii = np.array([rng.uniform(1.5, 2.5), top / 2]) * street.scale(ahead)
        street.paint(ellipse(centre, radii), vary(rng, (72, 98, 58)), 'vegetation', 'leaves')


def draw_wall(street: Street, right: float, side: int, near: float, far: float) -> None:
    """A wall of a man's height, with something behind it."""
    _background(street, right, side, near, far)
    stone = vary(street.rng, ((140, 132, 128), (125, 98, 88))[street.rng.integers(2)], 12)
    top = street.rng.uniform(1.8, 2.6)
    street.paint(street.upright(right, 0, top, near, far), stone, 'wall', 'bricks')
    street.paint(street.upright(right, top - 0.2, top, near, far), stone + 35)


def draw_fence(street: Street, right: float, side: int, near: float, far: float) -> None:
    """A fence of slats through which the background shines."""
    _background(street, right, side, near, far)
    colour = vary(street.rng, ((125, 105, 85), (150, 150, 150), (60, 65, 62))[street.rng.integers(3)], 12)
    top = street.rng.uniform(1.3, 2.0)
    street.paint(street.upright(right, 0, top, near, far), colour, 'fence', 'slats', 0.75)
    for rail in (0.3, top - 0.15):
        street.paint(street.upright(right, rail, rail + 0.15, near, far), colour - 15)


def draw_lawn(street: Street, right: float, side: int, near: float, far: float) -> None:
    """A lawn or bare ground, with something behind it."""
    _background(street, right + side * 5, side, near, far)
    colour = vary(street.rng, ((112, 132, 72), (138, 124, 88))[street.rng.integers(2)], 12)
    verge = sorted((right - side * 1.8, right + side * 7))
    street.paint(street.ground(*verge, near, far), colour, 'terrain', 'grass')


def _background(street: Street, right: float, side: int, near: float, far: float) -> None:
    draw = draw_building if street.rng.random() < 0.5 else draw_hedge
    draw(street, right + side * 2, side, near, far)


SIDES: Dict[str, Callable[[Street, float, int, float, float], None]] = dict(
    building=draw_building, vegetation=draw_hedge, wall=draw_wall, fence=draw_fence, terrain=draw_lawn)


def draw_hood(street: Street) -> None:
    """The front of the car that carries the camera: not a part of the scene, hence ignored."""
    width, height = street.canvas.size
    rise = height * street.rng.uniform(0.05, 0.11)
    centre = width * street.rng.uniform(0.47, 0.53), height + 0.2 * rise
    hood = ellipse(centre, (0.62 * width, 1.2 * rise))
    street.paint(hood, vary(street.rng, (60, 62, 66)), 'ego_vehicle', 'coarse')
