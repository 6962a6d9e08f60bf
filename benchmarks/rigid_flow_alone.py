"""Tables of `ego_motion` without depth for rigid.py, beside OpenCV's USAC_MAGSAC."""

import cv2
import jax
import numpy as np
from report import time_ratios
from rigid_ego import Call, choose_scene, matrix_of, single
from rigid_scenes import add_noise, direction_error, make_grid, make_scene, turn_error
from timing import race, rows_of

import sf3d_jax as sf3d

OURS, THEIRS = "ego_motion, flow alone", "USAC_MAGSAC, .5 px, then recoverPose"
# In degrees, of the turn and of the direction of the translation.
SOLVED = 1.0, 5.0


@jax.jit
def find(scene):
    return sf3d.ego_motion(scene.flow, None, scene.camera, scene.next_camera, valid=scene.valid)


def solve_by_magsac(scene):
    """[R | t] of OpenCV; pixels of the second image are those that the first camera would have."""
    first, second = scene.camera, scene.next_camera
    pixels = make_grid(scene.valid.shape)
    slopes = (pixels + scene.flow - second.principal_point) / second.focal
    moved = slopes * first.focal + first.principal_point
    pairs, matrix = (pixels[scene.valid], np.asarray(moved)[scene.valid]), matrix_of(first)
    cv2.setRNGSeed(0)
    options = {"method": cv2.USAC_MAGSAC, "prob": 0.999, "threshold": 0.5}
    essential, inliers = cv2.findEssentialMat(*pairs, matrix, **options)
    if essential is None:
        return np.eye(3, 4)
    _, turn, direction, _ = cv2.recoverPose(essential[:3], *pairs, matrix, mask=inliers)
    return np.hstack([turn, direction])


def errors_of(transform, scene):
    truth = scene.transform
    return turn_error(transform, truth), direction_error(transform, truth)


def solve_both(scenes):
    """Errors (scenes, 2) of both ways."""
    errors = {OURS: [], THEIRS: []}
    for noisy in scenes:
        errors[OURS].append(errors_of(find(single(noisy)).transform, noisy))
        errors[THEIRS].append(errors_of(solve_by_magsac(noisy), noisy))
    return {name: np.array(x) for name, x in errors.items()}


def rows_of_errors(errors):
    rows = []
    for name, x in errors.items():
        turn, direction = map(float, np.median(x, axis=0))
        row = {"way": name, "turn, degrees": turn, "direction, degrees": direction}
        within = int((x < SOLVED).all(1).sum())
        rows.append(row | {"of scenes": len(x), "within 1 and 5 degrees": within})
    return rows


def report_flow_alone(report, quick):
    scene = choose_scene(quick)
    noisy = [add_noise(scene, seed) for seed in range(3 if quick else 20)]
    errors = solve_both(noisy)
    ours, theirs = (np.median(x, axis=0) for x in errors.values())
    kinds = zip(("turn", "direction"), ours / theirs, strict=True)
    ratios = {f"{kind}, to MAGSAC": float(x) for kind, x in kinds}
    report.add("flow alone, noise of .5 px", rows_of_errors(errors), ratios)

    count = 5 if quick else 100
    errors = solve_both(add_noise(make_scene(seed), 100 + seed) for seed in range(count))
    rows = rows_of_errors(errors)
    ratios = {
        f"{row['way']}, scenes over solved": count / max(row["within 1 and 5 degrees"], 1)
        for row in rows
    }
    report.add("flow alone, random turns to 45 degrees, .5 px", rows, ratios)

    table = {OURS: Call(find, single(noisy[0])), THEIRS: lambda: solve_by_magsac(noisy[0])}
    medians = race(table, 2 if quick else 11)
    title = "flow alone, times at {} x {}".format(*scene.valid.shape)
    report.add(title, rows_of(table, medians, THEIRS), time_ratios(medians, {OURS: THEIRS}))
