"""Tables of `ego_motion` with depth for rigid.py: exact, noisy and random scenes, and times."""

import functools

import cv2
import jax
import numpy as np
from report import time_ratios
from rigid_scenes import (
    add_noise,
    f1_score,
    make_covariance,
    make_grid,
    make_scene,
    read_objects,
    shift_error,
    turn_error,
    widen_pixels,
)
from timing import Way, race, rows_of

import sf3d_jax as sf3d

# A scene is solved where both errors, in degrees and relative, are less.
SOLVED = 1e-3
RANSAC = "solvePnPRansac, 2 px, then solvePnPRefineLM"
STATIC = "solvePnPRefineLM on the true static pixels"
KINDS = "turn", "translation"
WHITENED = "ego_motion, with the change and the covariance"


def single(tree):
    """Numbers in float32, masks as they are."""
    to_float = lambda x: np.asarray(x, np.float32) if np.asarray(x).dtype.kind == "f" else x
    return jax.tree.map(to_float, tree)


@functools.partial(jax.jit, static_argnames="with_change")
def find(scene, *, with_change, covariance=None):
    """The `EgoMotion` of a scene; without a covariance the change only helps to start."""
    options = {"inv_depth_change": scene.change if with_change else None, "valid": scene.valid}
    options["covariance"] = covariance
    return sf3d.ego_motion(scene.flow, scene.inv_depth, scene.camera, scene.next_camera, **options)


class Call:
    """A call of a jitted function that is timed; it runs the program that others run."""

    def __init__(self, function, *arguments, **options):
        self.run = functools.partial(function, *arguments, **options)
        compiled = function.lower(*arguments, **options).compile()
        self.temporary = compiled.memory_analysis().temp_size_in_bytes
        self()

    def __call__(self):
        jax.block_until_ready(self.run())


def choose_scene(quick):
    """The rendered scene, or a small one whose programs compile once for all tables."""
    return make_scene(3) if quick else read_objects()


def name_of(with_change):
    return f"ego_motion, {'with' if with_change else 'without'} the change"


def errors_of(transform, scene):
    """In degrees, and relative to the length of the translation."""
    truth = scene.transform
    return float(turn_error(transform, truth)), float(shift_error(transform, truth))


def score(found, scene):
    return float(f1_score(np.asarray(found.static) > 0.5, scene))


def matrix_of(camera):
    matrix = np.eye(3)
    matrix[[0, 1], [0, 1]], matrix[:2, 2] = camera.focal, camera.principal_point
    return matrix


def list_points(scene, chosen):
    """Points, their pixels in the second image, and its matrix: what OpenCV takes."""
    pixels = make_grid(chosen.shape)
    inverse = np.linalg.inv(matrix_of(scene.camera))
    points = np.dstack([pixels, np.ones(chosen.shape)]) @ inverse.T / scene.inv_depth[..., None]
    return points[chosen], (pixels + scene.flow)[chosen], matrix_of(scene.next_camera)


def join(turn, shift):
    return np.hstack([cv2.Rodrigues(turn)[0], shift])


def solve_by_ransac(scene):
    """OpenCV's transform and which pixels are its inliers."""
    points, pixels, matrix = list_points(scene, scene.valid)
    cv2.setRNGSeed(0)
    options = {"reprojectionError": 2.0, "iterationsCount": 200}
    done, turn, shift, inside = cv2.solvePnPRansac(points, pixels, matrix, None, **options)
    inliers = np.zeros(scene.valid.shape, bool)
    if not done:
        return np.eye(3, 4), inliers
    inside = inside[:, 0]
    inliers[tuple(x[inside] for x in np.nonzero(scene.valid))] = True
    found = cv2.solvePnPRefineLM(points[inside], pixels[inside], matrix, None, turn, shift)
    return join(*found), inliers


def solve_on_static(scene):
    """Least squares of the flow on the pixels that are truly static, from the truth."""
    start = cv2.Rodrigues(scene.transform[:, :3])[0], scene.transform[:, 3:].copy()
    return join(*cv2.solvePnPRefineLM(*list_points(scene, scene.static), None, *start))


def row_of(scene, way, errors, f1=None):
    row = {"scene": scene} if scene else {}
    turn, shift = map(float, errors)
    return row | {"way": way, "turn, degrees": turn, "translation, relative": shift, "F1": f1}


def solve_exact_scenes(quick):
    """Inputs without noise: two cameras, pixels that are not square, intrinsics that change."""
    scenes = {"random, two intrinsics": make_scene(3)}
    if not quick:
        objects = read_objects()
        scenes |= {"objects": objects, "objects, pixels twice as wide": widen_pixels(objects)}
    for name, scene in scenes.items():
        for with_change in (True, False):
            found = find(single(scene), with_change=with_change)
            errors = errors_of(found.transform, scene)
            yield row_of(name, name_of(with_change), errors, score(found, scene))


def solve_noisy(scene, seed, quick):
    """{way: (errors, F1)} of the scene with noise."""
    noisy = add_noise(scene, seed)
    found = {name_of(False): find(single(noisy), with_change=False)}
    if not quick:
        covariance = np.float32(make_covariance(noisy))
        found[WHITENED] = find(single(noisy), with_change=True, covariance=covariance)
    result = {k: (errors_of(x.transform, scene), score(x, scene)) for k, x in found.items()}
    transform, inliers = solve_by_ransac(noisy)
    result[RANSAC] = errors_of(transform, scene), float(f1_score(inliers, scene))
    result[STATIC] = errors_of(solve_on_static(noisy), scene), None
    return result


def solve_noisy_scenes(quick):
    """Medians over seeds of .5 px and 2 % of both depths on the rendered scene; ratios to peers."""
    scene = choose_scene(quick)
    runs = [solve_noisy(scene, seed, quick) for seed in range(3 if quick else 20)]
    errors = {way: np.median([run[way][0] for run in runs], axis=0) for way in runs[0]}
    rows = []
    for way, x in errors.items():
        f1 = None if way == STATIC else float(np.median([run[way][1] for run in runs]))
        rows.append(row_of(None, way, x, f1))
    ratios = {}
    for way in (name for name in errors if name not in (RANSAC, STATIC)):
        for peer, short in ((RANSAC, "RANSAC"), (STATIC, "the static pixels")):
            for kind, ratio in zip(KINDS, errors[way] / errors[peer], strict=True):
                ratios[f"{way}, {kind}, to {short}"] = float(ratio)
    return rows, ratios


def solve_random_scenes(count):
    """How many random scenes are solved to SOLVED, without noise."""
    errors = {name: [] for name in (name_of(True), name_of(False), RANSAC)}
    for seed in range(count):
        scene = make_scene(seed, moving=np.random.default_rng(seed).uniform(0.1, 0.45))
        for with_change in (True, False):
            found = find(single(scene), with_change=with_change)
            errors[name_of(with_change)].append(errors_of(found.transform, scene))
        errors[RANSAC].append(errors_of(solve_by_ransac(scene)[0], scene))
    solved = {name: int((np.max(x, axis=1) < SOLVED).sum()) for name, x in errors.items()}
    rows = []
    for name, x in errors.items():
        turn, shift = map(float, np.median(x, axis=0))
        row = {"way": name, "scenes": count, "solved": solved[name]}
        rows.append(row | {"turn, median": turn, "translation, median": shift})
    # A share of none would have no ratio to compare with.
    return rows, {f"{name}, scenes over solved": count / max(solved[name], 1) for name in errors}


def time_ways(quick):
    """Title, rows and ratios."""
    noisy = add_noise(choose_scene(quick), 0)
    scene = single(noisy)
    table = {name_of(x): Call(find, scene, with_change=x) for x in (False, True)}
    if not quick:
        square = lambda flow: (
            find(scene._replace(flow=flow), with_change=False).transform ** 2
        ).sum()
        gradient = Way(jax.grad(square), (scene.flow,), False)
        table[f"{name_of(False)}, gradient"] = gradient
    table[RANSAC] = lambda: solve_by_ransac(noisy)
    medians = race(table, 2 if quick else 11)
    peers = {name: RANSAC for name in table if name != RANSAC}
    title = "ego_motion, times at {} x {}".format(*noisy.valid.shape)
    return title, rows_of(table, medians, RANSAC), time_ratios(medians, peers)


def report_ego(report, quick):
    report.add("ego_motion, true inputs", list(solve_exact_scenes(quick)))
    report.add("ego_motion, noise of .5 px and 2 %", *solve_noisy_scenes(quick))
    report.add("ego_motion, random scenes", *solve_random_scenes(5 if quick else 100))
    report.add(*time_ways(quick))
