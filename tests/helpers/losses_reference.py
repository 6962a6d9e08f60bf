"""The losses in NumPy, in float64, the way their formulas are stated: pixel by pixel, no masks."""

import numpy as np

TINY_WINDOW = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def barron(x, alpha, scale):
    s = (x / scale) ** 2
    special = {
        2.0: s / 2,
        0.0: np.log1p(s / 2),
        -np.inf: -np.expm1(-s / 2),
        np.inf: np.expm1(s / 2),
    }
    if alpha in special:
        return special[alpha]
    b = abs(alpha - 2)
    return b / alpha * ((s / b + 1) ** (alpha / 2) - 1)


def laplace_mixture(x, logits, log_scales):
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    densities = np.exp(-np.abs(x[..., None]) / np.exp(log_scales)) / (2 * np.exp(log_scales))
    return -np.log((shares * densities).sum(-1))


def gaussian(x, target, covariance):
    e = x - target
    mahalanobis = np.einsum("...i,...ij,...j", e, np.linalg.inv(covariance), e)
    return (mahalanobis + np.linalg.slogdet(2 * np.pi * covariance)[1]) / 2


def census(a, b, valid, radius=3):
    sign = lambda x: x / np.sqrt(0.81 + x * x)
    a, b = 255 * a.mean(-1), 255 * b.mean(-1)
    values, known = np.zeros(a.shape), np.zeros(a.shape, bool)
    for p in np.argwhere(valid):
        found = []
        for i in range(-radius, radius + 1):
            for j in range(-radius, radius + 1):
                q = np.add(p, (i, j))
                if (i, j) == (0, 0) or (q < 0).any() or (q >= a.shape).any() or not valid[*q]:
                    continue
                h = (sign(a[*q] - a[*p]) - sign(b[*q] - b[*p])) ** 2
                found.append(h / (0.1 + h))
        if found:
            values[*p], known[*p] = np.mean(found), True
    return values, known


def windows(a, b, weights, function):
    """A function of the weighted moments of every whole window, mean over channels."""
    r = len(weights) // 2
    outer = np.outer(weights, weights)[..., None]
    values, known = np.zeros(a.shape[:2]), np.zeros(a.shape[:2], bool)
    for i in range(r, a.shape[0] - r):
        for j in range(r, a.shape[1] - r):
            x, y = (z[i - r : i + r + 1, j - r : j + r + 1] for z in (a, b))
            mean = lambda z: (outer * z).sum((0, 1))
            mx, my = mean(x), mean(y)
            moments = mx, my, mean((x - mx) ** 2), mean((y - my) ** 2), mean((x - mx) * (y - my))
            values[i, j], known[i, j] = function(*moments).mean(), True
    return values, known


def dissimilarity(mx, my, vx, vy, c):
    c1, c2 = 1e-4, 9e-4
    value = (2 * mx * my + c1) * (2 * c + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return np.clip((1 - value) / 2, 0, 1)


def decorrelation(mx, my, vx, vy, c):
    return 1 - c / np.sqrt(vx * vy)


def gaussian_window():
    w = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    return w / w.sum()


def smoothness(x, image, sharpness, order):
    """The mean over the axes that have a difference at the pixel."""
    values, count = np.zeros(x.shape[:2]), np.zeros(x.shape[:2])
    for axis in (0, 1):
        for p in np.ndindex(x.shape[:2]):
            before, after = np.array(p), np.array(p)
            before[axis] -= order - 1
            after[axis] += 1
            if before[axis] < 0 or after[axis] >= x.shape[axis]:
                continue
            edge = np.abs(image[*after] - image[*before]).mean() / order
            step = x[*after] - x[p] - (0 if order == 1 else x[p] - x[*before])
            values[p] += np.exp(-sharpness * edge) * np.abs(step).sum()
            count[p] += 1
    return values / np.maximum(count, 1), count > 0


def total_variation(x):
    values = np.zeros(x.shape[:2])
    values[:-1] += np.abs(np.diff(x, axis=0)).sum(-1)
    values[:, :-1] += np.abs(np.diff(x, axis=1)).sum(-1)
    return values


def unevenness(vectors, order):
    """The length of the second or third difference of points, at the first of two motions, or the
    second of three."""
    points = np.concatenate([np.zeros_like(vectors[:1]), np.cumsum(vectors, axis=0)])
    values = np.linalg.norm(np.diff(points, order + 1, axis=0), axis=-1)
    padding = (0, 1) if order == 1 else (1, 1)
    counts = np.pad(np.ones(values.shape, bool), (padding, (0, 0)))
    return np.pad(values, (padding, (0, 0))), counts


def sobel(x, target):
    """By OpenCV, on the interior."""
    import cv2

    slopes = [cv2.Sobel(x - target, -1, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0)]
    values = sum(np.abs(s).sum(-1) for s in slopes) / 2
    known = np.zeros(values.shape, bool)
    known[1:-1, 1:-1] = True
    return np.where(known, values, 0), known


def bilinear(image, u, v):
    """A value inside the image."""
    j, i = min(int(np.floor(u)), image.shape[1] - 2), min(int(np.floor(v)), image.shape[0] - 2)
    a, b = u - j, v - i
    top = (1 - a) * image[i, j] + a * image[i, j + 1]
    return (1 - b) * top + b * ((1 - a) * image[i + 1, j] + a * image[i + 1, j + 1])


def arrived(flow, image):
    """The image where pixels go, and which of them stay in it."""
    h, w = flow.shape[:2]
    values, inside = np.zeros(flow.shape[:2] + image.shape[2:]), np.zeros((h, w), bool)
    for i, j in np.ndindex(h, w):
        u, v = j + flow[i, j, 0], i + flow[i, j, 1]
        if 0 <= u <= w - 1 and 0 <= v <= h - 1:
            values[i, j], inside[i, j] = bilinear(image, u, v), True
    return values, inside


def rigidity(vectors, points, inv_depth, spread=0.02):
    """By a least-squares solver: k of s = k x m, m = x + s / 2, and what is left."""
    values = np.zeros(inv_depth.shape)
    for p in np.ndindex(inv_depth.shape):
        rows, sides, weights = [], [], []
        for at in TINY_WINDOW:
            q = tuple(np.add(p, at))
            if min(q) < 0 or q[0] >= inv_depth.shape[0] or q[1] >= inv_depth.shape[1]:
                continue
            s = vectors[q] - vectors[p]
            m = points[q] - points[p] + s / 2
            r = 2 * (inv_depth[q] - inv_depth[p]) / (inv_depth[q] + inv_depth[p])
            weights.append(np.exp(-((r / spread) ** 2)))
            # k x m = -[m]_x k
            rows.append([[0, m[2], -m[1]], [-m[2], 0, m[0]], [m[1], -m[0], 0]])
            sides.append(s)
        root = np.sqrt(np.array(weights))[:, None]
        a = (root[..., None] * np.array(rows)).reshape(-1, 3)
        b = (root * np.array(sides)).reshape(-1)
        left = b - a @ np.linalg.lstsq(a, b, rcond=None)[0]
        values[p] = np.sqrt((left**2).sum() / sum(weights))
    return values
