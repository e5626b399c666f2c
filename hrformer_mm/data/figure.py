"""People seen from the front: a skeleton in a random pose, and its picture.

Everyone faces the camera, so a person's left is at the right of the picture, and colours are dealt to the two sides by
chance. Left and right are thus told by position alone, which stays true of a mirrored picture with swapped labels.
"""
from typing import Dict, Sequence

import numpy as np

from .drawing import Canvas, any_colour, ellipse, limb, rotate, vary

KEYPOINTS = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow',
             'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee',
             'left_ankle', 'right_ankle')

# Lengths and radii in parts of the standing height.
HEAD = 0.085
SIDES = dict(left=1, right=-1)
# Like skaters, all wear pads on their joints, of one colour on both sides: a small network finds these soon, and has
# still to tell left from right.
PADS = dict(elbow=(230, 125, 45), wrist=(65, 195, 215), hip=(150, 65, 165), knee=(230, 205, 70))

Pose = Dict[str, np.ndarray]


def random_pose(rng: np.random.Generator) -> Pose:
    """Joints of a person of height 1, who stands about (0, 0).

    Returns:
        Dict[str, np.ndarray]: A point (2, ) for each of the 17 keypoints, and for ``'head'``, its centre.
    """
    pose = {}
    lean = rng.normal(0, 0.07)
    shoulders, hips = np.array([0, -0.30]), np.array([0, 0.02])
    pose['head'] = shoulders + rotate(np.array([0, -0.135]), rng.normal(0, 0.15))
    # The face turns a little, which moves it over the head but hides no ear.
    turn = rng.uniform(-0.25, 0.25) * HEAD
    tilt = rng.normal(0, 0.12)
    pose['nose'] = pose['head'] + rotate(np.array([turn, 0.1 * HEAD]), tilt)
    for side, sign in SIDES.items():
        pose[f'{side}_eye'] = pose['head'] + rotate(np.array([0.8 * turn + sign * 0.42 * HEAD, -0.25 * HEAD]), tilt)
        pose[f'{side}_ear'] = pose['head'] + rotate(np.array([sign * 0.98 * HEAD, 0.0]), tilt)

        pose[f'{side}_shoulder'] = shoulders + np.array([sign * 0.115, rng.normal(0, 0.008)])
        # Angles are away from straight down, outwards; a raised arm bends inwards as easily as outwards.
        upper = rng.uniform(0.1, 1.0) if rng.random() < 0.7 else rng.uniform(1.0, 2.6)
        lower = upper + rng.uniform(-0.9, 1.2)
        pose[f'{side}_elbow'] = pose[f'{side}_shoulder'] + _reach(0.155, upper, sign)
        pose[f'{side}_wrist'] = pose[f'{side}_elbow'] + _reach(0.145, lower, sign)

        pose[f'{side}_hip'] = hips + np.array([sign * 0.068, 0])
        thigh = rng.uniform(-0.05, 0.55)
        pose[f'{side}_knee'] = pose[f'{side}_hip'] + _reach(0.21 * rng.uniform(0.85, 1), thigh, sign)
        pose[f'{side}_ankle'] = pose[f'{side}_knee'] + _reach(0.215, thigh - rng.uniform(-0.1, 0.5), sign)
    return {name: rotate(point, lean) for name, point in pose.items()}


def _reach(length: float, angle: float, sign: int) -> np.ndarray:
    return length * np.array([sign * np.sin(angle), np.cos(angle)])


def place(pose: Pose, centre: Sequence[float], height: float) -> Pose:
    """A pose in pixels: ``height`` tall, the middle of the body at ``centre``."""
    return {name: point * height + np.asarray(centre) for name, point in pose.items()}


def draw_figure(canvas: Canvas, rng: np.random.Generator, pose: Pose, height: float, label: int,
                long_hair: bool) -> None:
    """Draw a person over what is on the canvas.

    Args:
        canvas (Canvas): Where to draw.
        rng (np.random.Generator): Decides on the colours.
        pose (Dict[str, np.ndarray]): Joints in pixels.
        height (float): Standing height in pixels.
        label (int): Label of the person's pixels.
        long_hair (bool): Whether hair covers the ears.
    """
    skin = vary(rng, ((235, 195, 170), (205, 155, 125), (130, 90, 68))[rng.integers(3)], 8, 4)
    hair = vary(rng, ((50, 38, 30), (120, 80, 45), (205, 170, 100), (90, 90, 95))[rng.integers(4)], 8)
    shirt, trousers, shoes = any_colour(rng), any_colour(rng) * 0.8, any_colour(rng) * 0.5
    pads = {joint: vary(rng, colour) for joint, colour in PADS.items()}
    # Which side is the lighter one says nothing about left and right.
    light = dict(zip(rng.permutation(list(SIDES)), (0.82, 1.08)))

    def bar(start: np.ndarray, end: np.ndarray, radii: Sequence[float], colour: np.ndarray) -> None:
        canvas.paint(limb(start, end, radii[0] * height, radii[1] * height), colour, label)

    def dot(joint: str, radius: float, colour: np.ndarray) -> None:
        canvas.paint(ellipse(pose[joint], (radius * height, ) * 2), colour, label)

    for side in SIDES:
        leg = trousers * light[side]
        bar(pose[f'{side}_hip'], pose[f'{side}_knee'], (0.055, 0.042), leg)
        bar(pose[f'{side}_knee'], pose[f'{side}_ankle'], (0.042, 0.028), leg * 0.85)
        dot(f'{side}_knee', 0.033, pads['knee'])
        bar(pose[f'{side}_ankle'], pose[f'{side}_ankle'] + np.array([0, 0.025 * height]), (0.03, 0.033), shoes)
    _draw_trunk(canvas, pose, height, label, shirt, light)
    for side in SIDES:
        dot(f'{side}_hip', 0.032, pads['hip'])
    for side in SIDES:
        arm = shirt * light[side] * 0.88
        bar(pose[f'{side}_shoulder'], pose[f'{side}_elbow'], (0.04, 0.033), arm)
        bar(pose[f'{side}_elbow'], pose[f'{side}_wrist'], (0.03, 0.023), skin * 0.95)
        dot(f'{side}_elbow', 0.028, pads['elbow'])
        hand = pose[f'{side}_wrist'] + 0.2 * (pose[f'{side}_wrist'] - pose[f'{side}_elbow'])
        bar(hand, hand, (0.027, 0.027), skin)
        dot(f'{side}_wrist', 0.024, pads['wrist'])
    _draw_head(canvas, pose, height, label, skin, hair, long_hair)


def _draw_trunk(canvas: Canvas, pose: Pose, height: float, label: int, shirt: np.ndarray,
                light: Dict[str, float]) -> None:
    neck = (pose['left_shoulder'] + pose['right_shoulder']) / 2
    waist = (pose['left_hip'] + pose['right_hip']) / 2
    for side in SIDES:
        shoulder, hip = pose[f'{side}_shoulder'], pose[f'{side}_hip']
        canvas.paint(limb(shoulder, hip, 0.04 * height, 0.045 * height), shirt * light[side], label)
        canvas.paint(np.array([neck, shoulder, hip, waist]), shirt * light[side], label)


def _draw_head(canvas: Canvas, pose: Pose, height: float, label: int, skin: np.ndarray, hair: np.ndarray,
               long_hair: bool) -> None:
    radius, head = HEAD * height, pose['head']
    tilt = np.arctan2(*(pose['left_ear'] - pose['right_ear'])[::-1])

    def spot(centre: np.ndarray, radii: Sequence[float], colour: Sequence[float]) -> None:
        canvas.paint(ellipse(centre, np.array(radii) * radius, tilt), colour, label)

    neck = (pose['left_shoulder'] + pose['right_shoulder']) / 2
    canvas.paint(limb(neck, head, 0.4 * radius, 0.4 * radius), skin * 0.85, label)
    spot(head + rotate(np.array([0, -0.2 * radius]), tilt), (0.98, 1.05), hair)
    spot(head, (0.88, 1.05), skin)
    for side in SIDES:
        spot(pose[f'{side}_ear'], (0.18, 0.28), skin * 0.85)
        if long_hair:
            lock = pose[f'{side}_ear'] + np.array([0, 0.25 * radius])
            spot(lock, (0.26, 0.95), hair)
        spot(pose[f'{side}_eye'], (0.23, 0.17), (245, 245, 245))
        spot(pose[f'{side}_eye'], (0.11, 0.14), (35, 30, 35))
    spot(head + rotate(np.array([0, -0.85 * radius]), tilt), (0.75, 0.35), hair)
    bridge = (pose['left_eye'] + pose['right_eye']) / 2
    canvas.paint(limb(bridge, pose['nose'], 0.07 * radius, 0.17 * radius), skin * 0.72, label)
    spot(pose['nose'] + rotate(np.array([0, 0.5 * radius]), tilt), (0.32, 0.09), (165, 60, 60))
