"""Pictures of one to three people in a room or out of doors, with the joints of each."""
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from .drawing import Canvas, any_colour, box, ellipse, smooth_noise, stripes, vary
from .figure import KEYPOINTS, draw_figure, place, random_pose

# COCO's values for a keypoint: outside of the picture or not labelled, hidden behind something, seen.
ABSENT, HIDDEN, SEEN = 0, 1, 2
MIN_SEEN = 5  # keypoints each person shows


def draw_people(rng: np.random.Generator, size: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray, List[np.ndarray]]:
    """Draw one picture.

    Args:
        rng (np.random.Generator): Random numbers of the image.
        size (Tuple[int, int]): Width and height in pixels.

    Returns:
        Tuple[np.ndarray, np.ndarray, List[np.ndarray]]: The picture, (height, width, 3), uint8; who is seen at each
        pixel, (height, width), uint8, 0 for nobody and n for the n-th person; and each person's keypoints (17, 3),
        int64, as x, y and 0 (absent), 1 (hidden) or 2 (seen).
    """
    while True:
        canvas = Canvas(size)
        draw_background(canvas, rng)
        figures = draw_crowd(canvas, rng)
        people = [label_keypoints(figure, canvas.labels, number) for number, figure in enumerate(figures, 1)]
        # Somebody whom the others hide almost wholly teaches nothing: draw again.
        if all((person[:, 2] == SEEN).sum() >= MIN_SEEN for person in people):
            return canvas.develop(rng), canvas.labels, people


class Figure(NamedTuple):
    """Where somebody's keypoints are, (17, 2) in pixels, and whether hair covers the ears."""

    points: np.ndarray
    long_hair: bool


def draw_crowd(canvas: Canvas, rng: np.random.Generator) -> List[Figure]:
    """Draw people from the smallest, who is the farthest away, to the tallest; the n-th one gets label n."""
    width, height = canvas.size
    room = min(height, 1.4 * width)  # height of somebody who just fits in
    most = int(np.clip(round(3 * width / height), 1, 3))
    count = min(rng.choice([1, 2, 3], p=(0.5, 0.3, 0.2)), most)
    if count == 1 and rng.random() < 0.25:
        heights = room * rng.uniform(1.1, 1.5, 1)  # too near to fit in: the legs are cut
        middles = 0.55 * heights + height * rng.uniform(0.0, 0.05, 1)
    else:
        heights = room * np.sort(rng.uniform(*((0.6, 0.92) if count == 1 else (0.45, 0.75)), count))
        middles = height - heights / 2 - rng.uniform(0, 1, count) * np.minimum(0.1 * height, height - heights)
    slots = rng.permutation(count)
    figures = []
    for number, (tall, middle, slot) in enumerate(zip(heights, middles, slots), 1):
        across = width * (slot + 0.5 + rng.uniform(-0.22, 0.22)) / count
        pose = place(random_pose(rng), (across, middle), tall)
        long_hair = bool(rng.random() < 0.25)
        draw_figure(canvas, rng, pose, tall, number, long_hair)
        if rng.random() < 0.2:
            draw_obstacle(canvas, rng, across, middle + rng.uniform(0.2, 0.35) * tall, tall)
        figures.append(Figure(np.stack([pose[name] for name in KEYPOINTS]), long_hair))
    return figures


def label_keypoints(figure: Figure, labels: np.ndarray, number: int) -> np.ndarray:
    """Keypoints (17, 3) of the n-th person as x, y and visibility, in whole pixels; zeros where they are absent."""
    height, width = labels.shape
    x, y = np.round(figure.points).astype(np.int64).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    seen = labels[y, x] == number
    if figure.long_hair:
        seen[[KEYPOINTS.index('left_ear'), KEYPOINTS.index('right_ear')]] = False
    return np.stack([x, y, np.where(inside, np.where(seen, SEEN, HIDDEN), ABSENT)], axis=1)


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """A room with a wall, floor and furniture, or a meadow with sky and bushes; nobody is in it."""
    width, height = canvas.size
    line = height * rng.uniform(0.5, 0.8)
    grain = 6 * smooth_noise(rng, canvas.size, 2) + 8 * smooth_noise(rng, canvas.size, width / 8)
    indoors = rng.random() < 0.5
    above = vary(rng, (165, 155, 145), 35, 18) if indoors else vary(rng, (165, 190, 215), 15)
    below = vary(rng, (130, 105, 85), 25, 10) if indoors else vary(rng, (100, 130, 75), 15)
    pattern = grain + rng.uniform(0, 12) * stripes(canvas.size, rng.uniform(10, 40), rng.choice([0, np.pi / 2]))
    canvas.paint(box(-1, -1, width, height), above, texture=pattern if indoors else grain)
    canvas.paint(box(-1, line, width, height), below, texture=pattern if indoors else 2 * grain)
    for _ in range(rng.integers(2, 7)):
        x, wide, tall = rng.uniform(0, width), width * rng.uniform(0.05, 0.2), height * rng.uniform(0.1, 0.35)
        if indoors:
            bottom = line + height * 0.05 if rng.random() < 0.5 else line - height * rng.uniform(0.1, 0.3)
            canvas.paint(box(x - wide, bottom - tall, x + wide, bottom), any_colour(rng), texture=grain)
            canvas.paint(box(x - 0.8 * wide, bottom - 0.9 * tall, x + 0.8 * wide, bottom - 0.1 * tall),
                         any_colour(rng), texture=grain)
        else:
            canvas.paint(ellipse((x, line), (wide, tall)), vary(rng, (75, 105, 62)), texture=2 * grain)


def draw_obstacle(canvas: Canvas, rng: np.random.Generator, across: float, top: float, tall: float) -> None:
    """A crate or a bush, round or square, in front of somebody's legs."""
    half = tall * rng.uniform(0.15, 0.3)
    across += rng.uniform(-0.15, 0.15) * tall
    if rng.random() < 0.5:
        canvas.paint(box(across - half, top, across + half, top + 0.3 * tall), any_colour(rng), 0)
    else:
        grain = 15 * smooth_noise(rng, canvas.size, 3)
        centre: Sequence[float] = (across, top + 0.15 * tall)
        canvas.paint(ellipse(centre, (half, 0.16 * tall)), vary(rng, (75, 110, 60)), 0, grain)
