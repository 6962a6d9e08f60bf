"""Tables of `rigid_bodies` for rigid.py: bodies that are found in random scenes, and times."""

import jax
import numpy as np
from rigid_ego import Call, single
from rigid_scenes import make_scene, shift_error, turn_error
from timing import race, rows_of

import sf3d_jax as sf3d

MOST = 6


@jax.jit
def segment(flow, inv_depth, change, camera):
    return sf3d.rigid_bodies(flow, inv_depth, change, camera, most=MOST)


def maps_of(scene):
    """The arguments; pixels behind the second camera have no depth."""
    inv_depth = np.where(scene.valid, scene.inv_depth, 0)
    return single((scene.flow, inv_depth, scene.change, scene.camera))


def compare_bodies(count):
    """For all true bodies their overlap with the best label, and errors where it is above .9."""
    overlaps, turns, shifts, right = [], [], [], 0
    for seed in range(count):
        scene = make_scene(seed, moving=0.45, one_camera=True)
        labels, transforms, _ = map(np.asarray, segment(*maps_of(scene)))
        there = np.unique(scene.labels[scene.valid])
        right += int(labels.max() + 1 == len(there))
        for k in there:
            own = (scene.labels == k) & scene.valid
            found = [labels == j for j in range(labels.max() + 1)]
            scores = [(x & own).sum() / (x & scene.valid | own).sum() for x in found]
            overlaps.append(max(scores))
            if max(scores) > 0.9:
                transform = transforms[np.argmax(scores)]
                turns.append(turn_error(transform, scene.transforms[k]))
                shifts.append(shift_error(transform, scene.transforms[k]))
    overlaps = np.array(overlaps)
    return {
        "scenes": count,
        "right number": right,
        "true bodies": len(overlaps),
        "overlap above .9": int((overlaps > 0.9).sum()),
        "overlap, median": float(np.median(overlaps)),
        "turn, degrees": float(np.median(turns)),
        "translation, relative": float(np.median(shifts)),
    }


def report_bodies(report, quick):
    row = compare_bodies(4 if quick else 30)
    ratio = row["true bodies"] / row["overlap above .9"]
    title = "rigid_bodies, random scenes of 2 to 5 motions"
    report.add(title, [row], {"true bodies over those found": ratio})
    table = {}
    for size in ((48, 64),) if quick else ((48, 64), (240, 320)):
        maps = maps_of(make_scene(0, size, moving=0.45, bodies=3, one_camera=True))
        table["{} x {}".format(*size)] = Call(segment, *maps)
    medians = race(table, 2 if quick else 7)
    report.add("rigid_bodies, times", rows_of(table, medians, "48 x 64"))
