"""Pictures of ten kinds of fish and birds, drawn from their sides or, for the rays and the hammerhead, from above."""
from typing import Callable, Dict, Sequence, Tuple

import numpy as np

from .drawing import Canvas, any_colour, box, ellipse, limb, rotate, smooth_noise, stripes, vary

GROUNDS = dict(water=(70, 125, 160), meadow=(100, 135, 75), sand=(195, 175, 135))
EYE = (25, 22, 25)


class Sketch:
    """A canvas on which shapes are given about (0, 0), about 1 long each way, the head to the right.

    Where they land, how large, how much turned, which way round and how bright is decided once for all of them.

    Args:
        canvas (Canvas): Where to draw.
        rng (np.random.Generator): Random numbers of the image.
        turn (float): Largest angle by which the shapes are turned, radians.
    """

    def __init__(self, canvas: Canvas, rng: np.random.Generator, turn: float) -> None:
        self.canvas, self.rng = canvas, rng
        side = min(canvas.size)
        self.reach = side * rng.uniform(0.3, 0.46)
        self.centre = np.array(canvas.size) * 0.5 + side * rng.uniform(-0.1, 0.1, 2)
        self.angle = rng.uniform(-turn, turn)
        self.mirror = np.array([rng.choice([-1, 1]), 1])
        self.squeeze = rng.uniform(0.85, 1.15, 2)
        self.skin = 7 * smooth_noise(rng, canvas.size, 2) + 9 * smooth_noise(rng, canvas.size, side / 6)
        self.bands = 40 * stripes(canvas.size, self.reach / 4.5, self.angle * self.mirror[0])

    def shape(self, points: Sequence[Sequence[float]], colour: Sequence[float], banded: bool = False) -> None:
        """Paint a polygon (N, 2)."""
        outline = rotate(np.asarray(points) * self.squeeze, self.angle) * self.mirror * self.reach + self.centre
        self.canvas.paint(outline, colour, texture=self.skin + self.bands if banded else self.skin)

    def oval(self, x: float, y: float, wide: float, tall: float, colour: Sequence[float], banded: bool = False) -> None:
        """Paint an ellipse with these radii."""
        self.shape(ellipse((x, y), (wide, tall)), colour, banded)

    def bar(self, start: Sequence[float], end: Sequence[float], thick: float, colour: Sequence[float]) -> None:
        """Paint a line with rounded ends."""
        self.shape(limb(start, end, thick / 2, thick / 2), colour)


def draw_animal(rng: np.random.Generator, size: Tuple[int, int], name: str) -> np.ndarray:
    """Draw one animal.

    Args:
        rng (np.random.Generator): Random numbers of the image.
        size (Tuple[int, int]): Width and height in pixels.
        name (str): A key of :data:`ANIMALS`.

    Returns:
        np.ndarray: (height, width, 3), uint8, RGB.
    """
    canvas = Canvas(size)
    swims = name not in BIRDS
    grounds = ['water', 'sand', 'meadow'] if swims else ['meadow', 'sand', 'water']
    draw_ground(canvas, rng, str(rng.choice(grounds, p=(0.7, 0.25, 0.05))))
    ANIMALS[name](Sketch(canvas, rng, turn=0.7 if swims else 0.2))
    return canvas.develop(rng)


def draw_ground(canvas: Canvas, rng: np.random.Generator, name: str) -> None:
    """Water, grass or sand, with blots of any colour in it."""
    width, height = canvas.size
    grain = 8 * smooth_noise(rng, canvas.size, 2) + 16 * smooth_noise(rng, canvas.size, width / 5)
    canvas.paint(box(-1, -1, width, height), vary(rng, GROUNDS[name], 20, 12), texture=grain)
    for _ in range(rng.integers(0, 5)):
        centre = rng.uniform(0, 1, 2) * canvas.size
        radii = rng.uniform(0.03, 0.12, 2) * min(canvas.size)
        canvas.paint(ellipse(centre, radii, rng.uniform(0, 3)), any_colour(rng), texture=grain, opacity=0.8)


def _bony_fish(sketch: Sketch, colour: np.ndarray, deep: float, tail: float) -> None:
    """A fish from its side, ``deep`` from back to belly and with a tail fin of height ``tail``."""
    sketch.shape([(-0.55, 0), (-1.0, -tail), (-0.85, 0), (-1.0, tail)], colour * 0.85)
    sketch.shape([(-0.35, -0.7 * deep), (0.1, -deep - 0.15), (0.25, -0.8 * deep)], colour * 0.8)
    sketch.shape([(-0.3, 0.6 * deep), (-0.25, deep + 0.12), (0.0, 0.8 * deep)], colour * 0.8)
    sketch.oval(0.1, 0, 0.75, deep, colour)
    sketch.oval(0.1, 0.5 * deep, 0.5, 0.4 * deep, colour + 25)
    sketch.shape([(0.2, 0.1), (-0.1, 0.25), (0.1, 0.02)], colour * 0.75)
    sketch.oval(0.6, -0.3 * deep, 0.07, 0.07, (235, 225, 190))
    sketch.oval(0.6, -0.3 * deep, 0.04, 0.04, EYE)


def draw_tench(sketch: Sketch) -> None:
    _bony_fish(sketch, vary(sketch.rng, (105, 105, 55), 12), 0.28, 0.25)


def draw_goldfish(sketch: Sketch) -> None:
    _bony_fish(sketch, vary(sketch.rng, (235, 125, 40), 12), 0.36, 0.5)


def _shark(sketch: Sketch, colour: np.ndarray, belly: np.ndarray, banded: bool) -> None:
    """A shark from its side."""
    sketch.shape([(-0.7, 0), (-1.05, -0.45), (-0.85, 0), (-1.0, 0.25)], colour * 0.9)
    sketch.shape([(-0.1, -0.15), (-0.15, -0.5), (0.25, -0.2)], colour * 0.9)
    sketch.shape([(-0.85, 0), (-0.3, -0.18), (0.3, -0.24), (0.75, -0.15), (1.0, 0), (0.7, 0.14), (0.2, 0.22),
                  (-0.3, 0.15)], colour, banded)
    sketch.shape([(-0.6, 0.06), (0.95, 0.03), (0.7, 0.14), (0.2, 0.22), (-0.3, 0.15)], belly)
    sketch.shape([(0.3, 0.12), (-0.1, 0.5), (0.05, 0.12)], colour * 0.8)
    sketch.oval(0.75, -0.04, 0.045, 0.045, EYE)


def draw_great_white_shark(sketch: Sketch) -> None:
    _shark(sketch, vary(sketch.rng, (110, 118, 125), 10), vary(sketch.rng, (225, 228, 228), 6), banded=False)


def draw_tiger_shark(sketch: Sketch) -> None:
    colour = vary(sketch.rng, (115, 115, 100), 12)
    _shark(sketch, colour, colour + 35, banded=True)


def draw_hammerhead(sketch: Sketch) -> None:
    """From above: the wide head is what tells it from the other sharks."""
    colour = vary(sketch.rng, (125, 122, 112), 14)
    sketch.shape([(-0.8, 0), (-1.05, -0.2), (-0.9, 0), (-1.0, 0.12)], colour * 0.85)
    for side in (-1, 1):
        sketch.shape([(0.3, side * 0.15), (0.0, side * 0.6), (0.05, side * 0.15)], colour * 0.85)
    sketch.shape([(-0.9, 0), (-0.2, -0.16), (0.4, -0.18), (0.8, -0.1), (0.8, 0.1), (0.4, 0.18), (-0.2, 0.16)], colour)
    sketch.shape([(0.72, -0.5), (0.9, -0.5), (0.98, 0), (0.9, 0.5), (0.72, 0.5), (0.68, 0)], colour * 1.05)
    for side in (-1, 1):
        sketch.oval(0.82, side * 0.5, 0.05, 0.05, EYE)


def draw_electric_ray(sketch: Sketch) -> None:
    """From above: a round, spotted disc with a stout tail."""
    colour = vary(sketch.rng, (145, 110, 80), 15)
    sketch.shape([(-0.2, -0.18), (-0.8, -0.06), (-1.0, -0.22), (-1.0, 0.22), (-0.8, 0.06), (-0.2, 0.18)], colour * 0.9)
    sketch.oval(0.25, 0, 0.62, 0.66, colour)
    for _ in range(sketch.rng.integers(5, 10)):
        x, y = sketch.rng.uniform(-0.38, 0.38, 2)
        sketch.oval(0.2 + x, y, 0.07, 0.07, colour * 0.55)
    for side in (-1, 1):
        sketch.oval(0.62, side * 0.14, 0.04, 0.04, EYE)


def draw_stingray(sketch: Sketch) -> None:
    """From above: a diamond with a tail like a whip."""
    colour = vary(sketch.rng, (130, 112, 95), 18)
    sketch.bar((-0.1, 0), (-1.25, 0.1), 0.07, colour * 0.7)
    sketch.shape([(0.75, 0), (0.4, -0.3), (0.05, -0.8), (-0.3, -0.25), (-0.4, 0), (-0.3, 0.25), (0.05, 0.8),
                  (0.4, 0.3)], colour)
    sketch.oval(0.2, 0, 0.35, 0.16, colour * 0.85)
    for side in (-1, 1):
        sketch.oval(0.45, side * 0.13, 0.05, 0.05, EYE)


def _bird_legs(sketch: Sketch, places: Sequence[float], top: float, bottom: float, colour: Sequence[float]) -> None:
    for x in places:
        sketch.bar((x, top), (x + 0.05, bottom), 0.07, colour)
        sketch.bar((x + 0.05, bottom), (x + 0.2, bottom), 0.06, colour)


def _fowl(sketch: Sketch, colour: np.ndarray, comb: float) -> None:
    """The body of a hen or a cock, whose comb is ``comb`` tall."""
    red, yellow = np.array((205, 40, 40)), np.array((225, 175, 60))
    _bird_legs(sketch, (-0.05, 0.12), 0.35, 0.85, yellow)
    sketch.oval(0.0, 0.15, 0.5, 0.36, colour)
    sketch.bar((0.35, 0.1), (0.45, -0.4), 0.32, colour * 1.05)
    for x in (0.33, 0.45, 0.57):
        sketch.oval(x, -0.62, 0.07, comb, red)
    sketch.oval(0.45, -0.45, 0.18, 0.18, colour * 1.1)
    sketch.shape([(0.6, -0.52), (0.8, -0.42), (0.6, -0.36)], yellow)
    sketch.oval(0.6, -0.25, 0.06, comb, red)
    sketch.oval(-0.08, 0.12, 0.32, 0.2, colour * 0.75)
    sketch.oval(0.52, -0.48, 0.04, 0.04, EYE)


def draw_cock(sketch: Sketch) -> None:
    """With a large comb and a sickle tail."""
    sheen = vary(sketch.rng, (35, 70, 65), 12)
    for rise, back in ((-0.75, 0.75), (-0.5, 0.95), (-0.2, 1.0)):
        sketch.bar((-0.35, 0.05), (-back, rise), 0.2, sheen)
        sketch.bar((-back, rise), (-back - 0.12, rise + 0.3), 0.14, sheen * 0.8)
    _fowl(sketch, vary(sketch.rng, (175, 85, 40), 15), 0.2)


def draw_hen(sketch: Sketch) -> None:
    """With a small comb and a short tail."""
    plumage = ((160, 110, 70), (225, 220, 210), (110, 70, 50))[sketch.rng.integers(3)]
    colour = vary(sketch.rng, plumage, 12)
    sketch.shape([(-0.3, 0.0), (-0.75, -0.3), (-0.7, 0.05), (-0.35, 0.3)], colour * 0.85)
    _fowl(sketch, colour, 0.09)


def draw_ostrich(sketch: Sketch) -> None:
    """With long legs and a long bare neck."""
    feathers, skin = vary(sketch.rng, (50, 45, 45), 12), vary(sketch.rng, (205, 165, 145), 10)
    _bird_legs(sketch, (-0.2, 0.05), 0.2, 1.0, skin)
    sketch.oval(-0.6, -0.05, 0.22, 0.16, (225, 222, 215))
    sketch.oval(-0.15, 0.05, 0.5, 0.3, feathers)
    sketch.bar((0.25, -0.05), (0.45, -0.8), 0.12, skin)
    sketch.oval(0.5, -0.85, 0.15, 0.1, skin)
    sketch.shape([(0.6, -0.9), (0.82, -0.83), (0.6, -0.79)], skin * 0.75)
    sketch.oval(0.52, -0.88, 0.04, 0.04, EYE)


BIRDS: Dict[str, Callable[[Sketch], None]] = {'cock': draw_cock, 'hen': draw_hen, 'ostrich': draw_ostrich}
ANIMALS: Dict[str, Callable[[Sketch], None]] = {
    'tench': draw_tench, 'goldfish': draw_goldfish, 'great white shark': draw_great_white_shark,
    'tiger shark': draw_tiger_shark, 'hammerhead': draw_hammerhead, 'electric ray': draw_electric_ray,
    'stingray': draw_stingray, **BIRDS}
