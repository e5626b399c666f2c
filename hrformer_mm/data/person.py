"""Persons who face the camera, so that their left side is on the right of the image.

Only the position distinguishes left from right, also after a horizontal flip that swaps the labels: a joint has the
same colour on both sides, and the lighter side is random.
"""

import numpy as np

from .canvas import Canvas, Vector

PAIRS = ('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
KEYPOINTS = ('nose', *(f'{side}_{joint}' for joint in PAIRS for side in ('left', 'right')))
SIDES = dict(left=1, right=-1)
LIMBS = (('hip', 'knee', 'ankle'), ('shoulder', 'elbow', 'wrist'))
SKINS = ((235, 195, 170), (205, 155, 125), (130, 90, 68))
PADS = dict(
    hip=(150, 65, 165),
    knee=(230, 205, 70),
    ankle=(40, 40, 45),
    shoulder=(70, 175, 90),
    elbow=(230, 125, 45),
    wrist=(65, 195, 215),
)


def random_pose(rng: np.random.Generator) -> np.ndarray:
    """Return the keypoints (17, 2) of a person of height 1 who stands at (0, 0). The y axis points downwards."""
    turn, head = rng.normal(0, 0.008), np.array([rng.normal(0, 0.02), -0.90])
    pose = dict(nose=head + (turn, 0.012))
    for side, sign in SIDES.items():
        # Angles are measured from the vertical outwards.
        arm = rng.uniform(0.1, 1.0) if rng.random() < 0.7 else rng.uniform(1.0, 2.6)
        forearm, thigh = arm + rng.uniform(-0.9, 1.2), rng.uniform(-0.05, 0.5)
        shin = thigh - rng.uniform(-0.1, 0.5)
        joints = dict(
            eye=head + (turn + sign * 0.036, -0.02),
            ear=head + (sign * 0.083, 0.0),
            shoulder=np.array((sign * 0.115, -0.77)),
            hip=np.array((sign * 0.068, -0.45)),
        )
        for start, end, length, angle in (
            ('shoulder', 'elbow', 0.155, arm),
            ('elbow', 'wrist', 0.145, forearm),
            ('hip', 'knee', 0.205, thigh),
            ('knee', 'ankle', 0.215, shin),
        ):
            joints[end] = joints[start] + length * np.array((sign * np.sin(angle), np.cos(angle)))
        pose.update({f'{side}_{joint}': point for joint, point in joints.items()})
    return np.stack([pose[name] for name in KEYPOINTS])


def draw_person(
    canvas: Canvas, rng: np.random.Generator, feet: tuple[float, float], height: float, kind: str, number: int = 0
) -> np.ndarray:
    """Draw a person; returns the keypoints (17, 2) in pixels.

    Args:
        canvas (Canvas): The canvas to draw on.
        rng (np.random.Generator): The source of pose and colours.
        feet (Tuple[float, float]): The point (x, y) between the feet.
        height (float): The height in pixels.
        kind (str): One of :data:`KINDS`.
        number (int): The number of the person in the labels. Default: 0, which means nobody.
    """
    points = np.asarray(feet) + height * random_pose(rng)
    at = dict(zip(KEYPOINTS, points))
    skin, hair = rng.normal(SKINS[rng.integers(len(SKINS))], 8), rng.normal((90, 60, 40), 10)
    shirt, trousers = rng.uniform(40, 220, 3), rng.uniform(30, 150, 3)

    def bar(start: np.ndarray, end: np.ndarray, thickness: float, colour: Vector) -> None:
        canvas.bar(start, end, thickness * height, colour, kind, number)

    trunk = [at[name] for name in ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')]
    canvas.polygon(trunk, shirt, kind, number)
    bar(trunk[2], trunk[3], 0.08, trousers)
    for side, shade in zip(SIDES, rng.permutation((0.8, 1.1))):
        for names, upper, lower in zip(LIMBS, (trousers, shirt * 0.85), (trousers, skin)):
            joints = [at[f'{side}_{name}'] for name in names]
            bar(joints[0], joints[1], 0.075, upper * shade)
            bar(joints[1], joints[2], 0.055, lower * shade)
            for joint, name in zip(joints, names):
                bar(joint, joint, 0.055, PADS[name])
    head = (at['left_ear'] + at['right_ear']) / 2
    bar((trunk[0] + trunk[1]) / 2, head, 0.06, skin * 0.85)
    bar(head - (0, 0.025 * height), head, 0.17, hair)
    bar(head, head, 0.15, skin)
    face: list[Vector] = [(190, 70, 70), *[(35, 30, 35)] * 2, *[skin * 0.8] * 2]  # nose, eyes, ears
    for point, colour in zip(points, face):
        bar(point, point, 0.032, colour)
    return points
