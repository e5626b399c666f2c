"""Run a file of `hrformer-mm export` on a picture, with NumPy and onnxruntime alone.

python examples/run_onnx.py model.onnx picture.ppm            (a PPM file, or an array of .npy, (H, W, 3), RGB)
python examples/run_onnx.py model.onnx picture.jpg            (other files are read by Pillow, if it is there)
python examples/run_onnx.py pose.onnx picture.jpg --box 10 20 110 220

Prints JSON: the five best classes; keypoints (x, y, score) of the person in the box, by default the whole picture; or
the share of each class in the picture. --output writes the label map or the scores as .npy.
"""

import argparse
import json

import numpy as np
import onnxruntime


def read(path: str) -> np.ndarray:
    """An image, (H, W, 3), RGB, uint8."""
    if path.endswith('.npy'):
        return np.load(path)
    with open(path, 'rb') as file:
        if file.read(2) != b'P6':
            from PIL import Image
            return np.asarray(Image.open(path).convert('RGB'))
        numbers: list[int] = []
        while len(numbers) < 3:
            numbers += map(int, file.readline().split(b'#')[0].split())
        width, height, _ = numbers
        return np.frombuffer(file.read(), np.uint8, height * width * 3).reshape(height, width, 3)


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray, outside_is_zero: bool) -> np.ndarray:
    """Bilinear samples of (H, W, C) at columns x, (W',), and rows y, (H',): (H', W', C)."""
    result = image.astype(np.float32)
    for axis, places in ((0, y), (1, x)):
        low = np.floor(places).astype(int)
        part = (places - low).astype(np.float32)
        last = result.shape[axis] - 1
        pieces = 0
        for index, weight in ((low, 1 - part), (low + 1, part)):
            if outside_is_zero:
                weight = weight * ((index >= 0) & (index <= last))
            shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
            pieces = pieces + np.take(result, np.clip(index, 0, last), axis) * weight.reshape(shape)
        result = pieces
    return result


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    h, w = image.shape[:2]
    return sample(image, (np.arange(width) + 0.5) * w / width - 0.5, (np.arange(height) + 0.5) * h / height - 0.5, False)


def normalise(image: np.ndarray, about: dict) -> np.ndarray:
    """(H, W, 3), RGB, to (1, 3, H, W)."""
    image = image if about['rgb'] else image[..., ::-1]
    image = (image - np.float32(about['mean'])) / np.float32(about['std'])
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)


def segment(run, image: np.ndarray, about: dict) -> tuple[np.ndarray, dict]:
    height, width = about['size']
    logits = run(normalise(resize(image, height, width), about))[0]
    labels = resize(logits.transpose(1, 2, 0), *image.shape[:2]).argmax(2).astype(np.uint8)
    counts = np.bincount(labels.ravel(), minlength=len(logits))
    names = about['classes'] or [str(i) for i in range(len(logits))]
    return labels, {names[i]: float(counts[i] / labels.size) for i in np.argsort(-counts, kind='stable') if counts[i]}


def classify(run, image: np.ndarray, about: dict) -> tuple[np.ndarray, dict]:
    height, width = about['size']
    h, w = image.shape[:2]
    edge = about['resize_edge'] or max(height, width)
    image = resize(image, round(h * edge / min(h, w)), round(w * edge / min(h, w)))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    logits = run(normalise(image[top:top + height, left:left + width], about))[0]
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    names = about['classes'] or [str(i) for i in range(len(scores))]
    return scores, {names[i]: float(scores[i]) for i in np.argsort(-scores)[:5]}


def find_keypoints(run, image: np.ndarray, about: dict, box: list[float]) -> tuple[np.ndarray, dict]:
    codec = about['codec']
    if codec['type'] != 'MSRAHeatmap' or codec.get('unbiased'):
        raise SystemExit(f"this example decodes plain MSRAHeatmap, and the model is for {codec}")
    height, width = about['size']
    x0, y0, x1, y1 = box
    # The box grows to the input's proportions, and by the margin that the model was trained with.
    box_width = max(x1 - x0, (y1 - y0) * width / height) * about['box_scale']
    step = box_width / width  # of the picture, for each pixel of the input
    left, top = (x0 + x1) / 2 - step * width / 2, (y0 + y1) / 2 - step * height / 2
    crop = sample(image, left + step * np.arange(width), top + step * np.arange(height), True)
    heatmaps = run(normalise(np.round(crop), about))[0]
    rows, columns = heatmaps.shape[1:]
    found = []
    for heatmap in heatmaps:
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        dx = dy = 0.0
        if 1 < x < columns - 1 and y > 0:  # a quarter of a pixel to the higher neighbour, where mmpose does so
            dx = 0.25 * np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        if 1 < y < rows - 1 and x > 0:
            dy = 0.25 * np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
        found.append(((x + dx) * width / columns * step + left, (y + dy) * height / rows * step + top, heatmap.max()))
    names = about['keypoints'] or [str(i) for i in range(len(found))]
    return np.float32(found), {name: [float(v) for v in point] for name, point in zip(names, found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('image')
    parser.add_argument('--box', type=float, nargs=4, metavar=('X0', 'Y0', 'X1', 'Y1'))
    parser.add_argument('--output', help='A .npy file.')
    arguments = parser.parse_args()
    session = onnxruntime.InferenceSession(arguments.model, providers=['CPUExecutionProvider'])
    about = json.loads(session.get_modelmeta().custom_metadata_map['hrformer_mm'])
    image = read(arguments.image)

    def run(images: np.ndarray) -> np.ndarray:
        return session.run(None, {session.get_inputs()[0].name: images})[0]

    if about['task'] == 'pose':
        box = arguments.box or [0, 0, image.shape[1], image.shape[0]]
        array, result = find_keypoints(run, image, about, box)
    else:
        array, result = dict(segmentation=segment, classification=classify)[about['task']](run, image, about)
    if arguments.output:
        np.save(arguments.output, array)
    print(json.dumps(result, indent=2))


if __name__ == '__main__':
    main()
