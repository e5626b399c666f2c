"""What stands and moves in a street: vehicles, people, trees, poles. Each is drawn on the ground at a distance."""
from typing import Callable, NamedTuple, Sequence, Tuple

import numpy as np

from .camera import Street
from .drawing import any_colour, box, ellipse, limb, vary

SKIN = ((235, 195, 170), (200, 150, 120), (120, 80, 60))
TYRE = (32, 32, 34)


class Thing(NamedTuple):
    """How often a thing appears by chance, and how to draw it at a distance beside or on a road of half a width."""

    share: float
    draw: Callable[[Street, float, float], None]


def _lane(street: Street, road: float) -> float:
    return street.rng.choice([-1, 1]) * road * street.rng.uniform(0.35, 0.75)


def _pavement(street: Street, road: float) -> float:
    return street.rng.choice([-1, 1]) * (road + street.rng.uniform(0.5, 2.0))


def _in_view(street: Street, right: float, ahead: float) -> float:
    """The place moved towards the middle, if it would lie outside of the picture."""
    width, scale = street.canvas.size[0], street.scale(ahead)
    left_end, right_end = (np.array([0.06, 0.94]) * width - street.vanishing_point[0]) / scale
    return float(np.clip(right, left_end, right_end))


def _ball(street: Street, right: float, up: float, ahead: float, radii: Tuple[float, float]) -> np.ndarray:
    """Outline in pixels of an upright ellipse with radii in metres."""
    return ellipse(street.project([(right, up, ahead)])[0], np.array(radii) * street.scale(ahead))


def _bar(street: Street, start: Sequence[float], end: Sequence[float], ahead: float, radius: float) -> np.ndarray:
    """Outline in pixels of a bar between two places (right, up), all in metres."""
    ends = street.project([(*start, ahead), (*end, ahead)])
    return limb(*ends, *(max(radius * street.scale(ahead), 0.7), ) * 2)


def _panel(street: Street, left: float, right: float, bottom: float, top: float, ahead: float) -> np.ndarray:
    """Outline in pixels of an upright rectangle that faces the camera."""
    corners = street.project([(left, top, ahead), (right, bottom, ahead)])
    return box(*corners.ravel())


def _shadow(street: Street, left: float, right: float, near: float, far: float) -> None:
    street.paint(street.ground(left - 0.2, right + 0.2, max(near - 0.3, 1), far), (25, 25, 28), opacity=0.6)


def _block(street: Street, kind: str, colour: np.ndarray, place: Tuple[float, float], wide: float, long: float,
           bottom: float, top: float) -> None:
    """A box on wheels: the end that faces the camera and the flank that can be seen."""
    right, ahead = place
    left_end, right_end = right - wide / 2, right + wide / 2
    flank = right_end if right < 0 else left_end
    street.paint(street.upright(flank, bottom, top, ahead, ahead + long), colour * 0.75, kind)
    street.paint(_panel(street, left_end, right_end, bottom, top, ahead), colour, kind)


def _wheels(street: Street, kind: str, place: Tuple[float, float], wide: float, radius: float) -> None:
    for end in (-1, 1):
        centre = place[0] + end * (wide / 2 - 0.15)
        street.paint(_ball(street, centre, radius, place[1], (0.16, radius)), TYRE, kind)


def _lights(street: Street, place: Tuple[float, float], wide: float, up: float) -> None:
    # Who drives on the left side of the picture comes towards the camera.
    colour = (250, 245, 215) if place[0] < 0 else (200, 35, 30)
    for end in (-1, 1):
        street.paint(_ball(street, place[0] + end * (wide / 2 - 0.22), up, place[1], (0.16, 0.11)), colour)


def draw_car(street: Street, ahead: float, road: float) -> None:
    rng = street.rng
    place = (_in_view(street, _lane(street, road), ahead), ahead)
    colour, wide = any_colour(rng), rng.uniform(1.7, 2.0)
    _shadow(street, place[0] - wide / 2, place[0] + wide / 2, ahead, ahead + 4)
    _wheels(street, 'car', place, wide, 0.35)
    _block(street, 'car', colour * 0.9, (place[0], ahead + 0.8), wide * 0.82, 2.4, 0.8, rng.uniform(1.4, 1.65))
    _block(street, 'car', colour, place, wide, 4.2, 0.3, 0.95)
    street.paint(_panel(street, place[0] - 0.36 * wide, place[0] + 0.36 * wide, 0.97, 1.35, ahead + 0.7), (55, 65, 80))
    _lights(street, place, wide, 0.72)
    street.paint(_panel(street, place[0] - 0.25, place[0] + 0.25, 0.42, 0.55, ahead), (225, 225, 215))


def draw_truck(street: Street, ahead: float, road: float) -> None:
    rng = street.rng
    place = (_in_view(street, _lane(street, road), ahead), ahead)
    cargo, cab, top = vary(rng, (195, 195, 190), 20), any_colour(rng), rng.uniform(3.0, 3.8)
    _shadow(street, place[0] - 1.2, place[0] + 1.2, ahead, ahead + 8)
    _wheels(street, 'truck', place, 2.4, 0.5)
    _block(street, 'truck', cargo, (place[0], ahead + 1.5), 2.5, 6, 0.9, top)
    _block(street, 'truck', cab, place, 2.3, 1.5, 0.5, 2.5)
    street.paint(_panel(street, place[0] - 1.0, place[0] + 1.0, 1.5, 2.2, ahead), (50, 60, 75))
    _lights(street, place, 2.3, 0.8)


def draw_bus(street: Street, ahead: float, road: float) -> None:
    rng = street.rng
    place = (_in_view(street, _lane(street, road), ahead), ahead)
    paint, top = vary(rng, ((205, 60, 45), (225, 180, 50), (60, 110, 170))[rng.integers(3)], 15), rng.uniform(3.0, 3.4)
    flank = place[0] + (1.25 if place[0] < 0 else -1.25)
    _shadow(street, place[0] - 1.3, place[0] + 1.3, ahead, ahead + 11)
    _wheels(street, 'bus', place, 2.5, 0.45)
    _block(street, 'bus', paint, place, 2.5, 11, 0.35, top)
    street.paint(street.upright(flank, 1.4, 2.5, ahead + 0.3, ahead + 10.5), (45, 52, 62))
    street.paint(_panel(street, place[0] - 1.1, place[0] + 1.1, 1.3, 2.5, ahead), (45, 55, 70))
    street.paint(_panel(street, place[0] - 0.7, place[0] + 0.7, 2.65, 2.9, ahead), (250, 190, 60))
    _lights(street, place, 2.5, 0.7)


def draw_train(street: Street, ahead: float, road: float) -> None:
    """A tram on its own track."""
    rng = street.rng
    place = (_in_view(street, rng.choice([-1, 1]) * road * 0.55, ahead), ahead)
    paint = vary(rng, ((170, 175, 60), (175, 180, 185), (150, 45, 50))[rng.integers(3)], 12)
    flank = place[0] + (1.3 if place[0] < 0 else -1.3)
    street.paint(street.ground(place[0] - 1.1, place[0] + 1.1, 3, ahead), (98, 88, 82), 'rail_track', 'fine', 0.7)
    for rail in (-0.75, 0.75):
        street.paint(street.ground(place[0] + rail - 0.08, place[0] + rail + 0.08, 3, ahead), (165, 165, 165))
    _shadow(street, place[0] - 1.3, place[0] + 1.3, ahead, ahead + 30)
    _block(street, 'train', paint, place, 2.6, 30, 0.2, 3.6)
    _block(street, 'train', np.array((215, 215, 210)), place, 2.6, 30, 1.5, 2.9)
    for window in np.arange(ahead + 0.5, ahead + 28, 2.2):
        street.paint(street.upright(flank, 1.7, 2.7, window, window + 1.7), (40, 45, 55))
    street.paint(_panel(street, place[0] - 0.95, place[0] + 0.95, 1.5, 2.8, ahead), (40, 48, 60))
    street.paint(_ball(street, place[0], 0.9, ahead, (0.25, 0.2)), (250, 245, 215))


def _figure(street: Street, kind: str, right: float, ahead: float, hip: float, feet: Sequence[float]) -> None:
    """A person whose hip is at ``hip`` metres and whose feet stand at these distances to the right of it."""
    rng = street.rng
    shirt, trousers, skin = any_colour(rng), any_colour(rng) * 0.6, SKIN[rng.integers(len(SKIN))]
    for foot in feet:
        street.paint(_bar(street, (right, hip), (right + foot, max(hip - 0.85, 0.05)), ahead, 0.09), trousers, kind)
    shoulder = hip + 0.5
    street.paint(_bar(street, (right, hip), (right, shoulder), ahead, 0.2), shirt, kind)
    for arm in (-0.28, 0.28):
        hand = (right + arm * rng.uniform(0.8, 1.5), hip + rng.uniform(-0.05, 0.25))
        street.paint(_bar(street, (right + 0.6 * arm, shoulder), hand, ahead, 0.07), shirt * 0.85, kind)
    street.paint(_ball(street, right, shoulder + 0.32, ahead, (0.12, 0.16)), skin, kind)
    street.paint(_ball(street, right, shoulder + 0.42, ahead, (0.13, 0.09)), vary(rng, (60, 45, 35)), kind)


def draw_person(street: Street, ahead: float, road: float) -> None:
    right = _in_view(street, _pavement(street, road), ahead)
    for number in range(street.rng.integers(1, 4)):
        step = street.rng.uniform(0.08, 0.3)
        _figure(street, 'person', right + 0.7 * number, ahead + 0.3 * number, 0.88, (-step, step))


def _two_wheeler(street: Street, kind: str, ahead: float, road: float, radius: float, frame: float,
                 ridden: bool) -> None:
    """A bicycle or motorcycle seen from its side. The wheels count whole, as in Cityscapes."""
    rng = street.rng
    right = _in_view(street, _lane(street, road) if ridden else _pavement(street, road), ahead)
    colour = any_colour(rng)
    front, back = right + 0.55, right - 0.55
    for wheel in (front, back):
        street.paint(_ball(street, wheel, radius, ahead, (radius, radius)), TYRE, kind, opacity=0.85)
        street.paint(_ball(street, wheel, radius, ahead, (0.7 * radius, 0.7 * radius)), (120, 120, 122), opacity=0.8)
    for start, end in (((back, radius), (right, 0.85)), ((right, 0.85), (front - 0.1, 0.8)),
                       ((right - 0.1, radius), (front - 0.1, 0.8)), ((front, radius), (front - 0.15, 1.1))):
        street.paint(_bar(street, start, end, ahead, frame), colour, kind)
    if ridden:
        _figure(street, 'rider', right - 0.1, ahead, 0.95, (0.1, 0.3))


def draw_bicycle(street: Street, ahead: float, road: float) -> None:
    _two_wheeler(street, 'bicycle', ahead, road, 0.36, 0.05, ridden=street.rng.random() < 0.6)


def draw_motorcycle(street: Street, ahead: float, road: float) -> None:
    _two_wheeler(street, 'motorcycle', ahead, road, 0.32, 0.17, ridden=street.rng.random() < 0.6)


def _post(street: Street, ahead: float, road: float, top: float) -> float:
    """A post beside the road; returns where it stands."""
    right = _in_view(street, street.rng.choice([-1, 1]) * (road + street.rng.uniform(0.3, 0.9)), ahead)
    colour = vary(street.rng, (112, 114, 114), 15)
    street.paint(_bar(street, (right, 0), (right, top), ahead, 0.09), colour, 'pole')
    return right


def draw_pole(street: Street, ahead: float, road: float) -> None:
    _post(street, ahead, road, street.rng.uniform(4, 8))


def draw_traffic_light(street: Street, ahead: float, road: float) -> None:
    right = _post(street, ahead, road, 3.6)
    street.paint(_panel(street, right - 0.27, right + 0.27, 2.6, 3.9, ahead), (35, 38, 36), 'traffic_light')
    lit = street.rng.integers(3)
    for lamp, colour in enumerate(((50, 220, 120), (250, 190, 40), (240, 50, 40))):
        shine = colour if lamp == lit else np.array(colour) * 0.3
        street.paint(_ball(street, right, 2.83 + 0.42 * lamp, ahead, (0.17, 0.17)), shine)


def draw_traffic_sign(street: Street, ahead: float, road: float) -> None:
    rng = street.rng
    right = _post(street, ahead, road, 2.8)
    colour = ((40, 80, 180), (215, 40, 40), (240, 205, 40))[rng.integers(3)]
    if rng.random() < 0.5:
        street.paint(_ball(street, right, 2.6, ahead, (0.45, 0.45)), colour, 'traffic_sign')
        street.paint(_ball(street, right, 2.6, ahead, (0.28, 0.28)), (240, 240, 240))
    else:
        street.paint(_panel(street, right - 0.5, right + 0.5, 2.2, 3.0, ahead), colour, 'traffic_sign')
        street.paint(_panel(street, right - 0.3, right + 0.3, 2.5, 2.7, ahead), (240, 240, 240))


def draw_tree(street: Street, ahead: float, road: float) -> None:
    rng = street.rng
    right, crown = _pavement(street, road), rng.uniform(3.0, 4.5)
    street.paint(_bar(street, (right, 0), (right, crown), ahead, 0.15), vary(rng, (85, 68, 55)), 'vegetation')
    for _ in range(5):
        centre = right + rng.normal(0, 0.8), crown + rng.normal(0.3, 0.6)
        street.paint(_ball(street, *centre, ahead, (rng.uniform(0.8, 1.5), rng.uniform(0.7, 1.2))),
                     vary(rng, (72, 105, 55)), 'vegetation', 'leaves')


def draw_bin(street: Street, ahead: float, road: float) -> None:
    """Street furniture, which Cityscapes labels static and ignores."""
    right = _pavement(street, road)
    street.paint(_panel(street, right - 0.35, right + 0.35, 0, 1.1, ahead), any_colour(street.rng) * 0.7, 'static')


TRAFFIC = dict(
    car=Thing(0.26, draw_car),
    person=Thing(0.14, draw_person),
    tree=Thing(0.12, draw_tree),
    pole=Thing(0.11, draw_pole),
    traffic_sign=Thing(0.09, draw_traffic_sign),
    traffic_light=Thing(0.08, draw_traffic_light),
    bicycle=Thing(0.06, draw_bicycle),
    bin=Thing(0.04, draw_bin),
    motorcycle=Thing(0.03, draw_motorcycle),
    truck=Thing(0.03, draw_truck),
    bus=Thing(0.02, draw_bus),
    train=Thing(0.02, draw_train),
)
