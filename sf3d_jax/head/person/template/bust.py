"""Skull, jaw, flesh of the face, neck and shoulders of the template, without its features.

The proportions are the means of men and women together in the survey of 3,997 adults by Zhuang and
Bradtmiller, Head-and-face anthropometric survey of U.S. respirator users, J. Occup. Environ. Hyg.
2(11), 2005 (see `identity`): head 19.2 cm long and 15.0 cm wide, face 13.9 cm wide at the arches,
11.5 cm at the corners of the jaw and 11.8 cm high from the root of the nose to below the chin,
10.4 cm between the temples, neck 37 cm around.
"""

from sf3d_jax.head.person.landmarks import Floats
from sf3d_jax.head.person.template.solids import blend, cone, cut, ellipsoid, tube


def bust_distance(p: Floats) -> Floats:
    """Distance estimate of points (N, 3) with x >= 0 to the bust."""
    d = _cranium(p)
    d = _jaw(p, d)
    d = _flesh(p, d)
    return _neck(p, d)


def _cranium(p: Floats) -> Floats:
    d = ellipsoid(p, (0, 3.7, -1.5), (7.3, 7.6, 8.75))
    d = blend(d, ellipsoid(p, (0, 4.2, 2.7), (5.6, 5.2, 5.75)), 2.0)  # forehead
    return blend(d, ellipsoid(p, (0, -2.6, 1.2), (5.9, 6.4, 6.3)), 2.0)  # upper jaw


def _jaw(p: Floats, d: Floats) -> Floats:
    branch = [(5.75, -1.8, -0.1, 0.7), (4.75, -6.4, 0.5, 0.8)]
    d = blend(d, tube(p, branch, 0.5), 1.8)
    body = [(4.6, -6.8, 0.7, 0.85), (3.0, -8.8, 3.8, 1.05), (1.4, -9.85, 6.5, 1.2)]
    d = blend(d, tube(p, body, 1.2), 2.0)
    d = blend(d, ellipsoid(p, (0, -9.0, 3.4), (3.2, 1.9, 4.2)), 1.2)  # floor of the mouth
    d = blend(d, ellipsoid(p, (0, -10.05, 6.9), (2.05, 1.25, 1.5)), 1.2)  # chin
    return blend(d, ellipsoid(p, (0, -6.7, 5.2), (3.1, 3.4, 3.1)), 1.6)  # muzzle


def _flesh(p: Floats, d: Floats) -> Floats:
    d = blend(d, ellipsoid(p, (4.3, -4.7, 1.9), (1.5, 3.0, 2.5)), 1.6)  # masseter
    arch = [(6.15, -1.35, -0.3, 0.55), (5.65, -1.8, 2.8, 0.8), (4.6, -2.3, 5.0, 0.95)]
    d = blend(d, tube(p, arch, 0.8), 1.6)
    d = blend(d, ellipsoid(p, (4.0, -2.5, 5.5), (1.8, 1.3, 1.6)), 1.6)  # cheekbone
    d = blend(d, ellipsoid(p, (2.6, -3.2, 5.65), (1.9, 1.9, 1.7)), 1.5)  # before the cheekbone
    d = blend(d, ellipsoid(p, (3.2, -4.3, 5.1), (2.1, 2.6, 2.3)), 2.0)  # cheek
    return blend(d, ellipsoid(p, (3.3, -6.9, 3.9), (1.9, 2.3, 2.6)), 2.0)  # before the masseter


def _neck(p: Floats, d: Floats) -> Floats:
    d = blend(d, _shoulders(p), 2.0)
    d = blend(d, cone(p, (0, -6.5, -2.6), (0, -18.5, -3.9), 4.9, 5.3), 2.0)
    nape = [(2.1, -3.5, -6.3, 1.6), (3.0, -10.0, -6.0, 2.2), (6.0, -15.0, -5.5, 2.6)]
    d = blend(d, tube(p, nape, 1.0), 2.2)
    # The muscle from behind the ear to the breastbone.
    d = blend(d, cone(p, (5.4, -4.6, -2.3), (1.2, -18.3, 1.8), 0.95, 0.6), 1.8)
    d = blend(d, cone(p, (0, -13.2, 1.2), (0, -18.8, 0.5), 1.5, 1.3), 0.9)  # windpipe
    d = blend(d, ellipsoid(p, (0, -13.9, 1.95), (0.8, 1.1, 0.75)), 0.9)  # larynx
    return cut(d, ellipsoid(p, (0, -18.6, 3.2), (1.1, 1.5, 1.5)), 1.0)  # pit of the throat


def _shoulders(p: Floats) -> Floats:
    # The upper edge falls from the neck to the tip of the shoulder, 18 cm from the middle.
    slope = [(4.0, -14.6, -5.4, 2.2), (9.0, -17.2, -5.2, 2.2), (17.0, -20.3, -4.6, 2.6)]
    d = tube(p, slope, 1.5)
    d = blend(d, ellipsoid(p, (0, -26.0, -3.2), (16.5, 8.5, 6.8)), 2.5)  # chest
    return blend(d, cone(p, (1.6, -18.9, 1.7), (15.0, -18.9, -2.2), 0.7, 0.8), 1.5)  # collarbone
