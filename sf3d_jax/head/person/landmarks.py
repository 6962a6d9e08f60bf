"""Where the parts of the procedural head lie: what its shape, its motion and its skin agree on.

Lengths are centimetres. x points to the subject's left, y up, z forward. The origin lies between
the centres of the eyes and 6.7 cm behind them. All places are those of the template, whose mouth
and lids are open; those given with x > 0 are of the left side, and the right side is the mirror
image.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The part that a vertex or a triangle belongs to.
PARTS = ("skin", "mouth", "upper teeth", "lower teeth", "left eye", "right eye", "tongue")
SKIN, MOUTH, UPPER_TEETH, LOWER_TEETH, LEFT_EYE, RIGHT_EYE, TONGUE = range(len(PARTS))

# The eyeballs are spheres, and their pupils look along +z.
EYE = np.array([3.15, 0.0, 6.7])
EYE_RADIUS = 1.22
IRIS_RADIUS = 0.60
PUPIL_RADIUS = 0.24

# Lids are a shell about the eyeball; the fissure is open between directions from the centre of the
# eye whose x and y (of a unit vector) lie in `almond(x, y, *FISSURE)`.
LID_GAP = 0.08
LID_THICKNESS = 0.24
FISSURE = (0.93, 0.38)

# The brow: its inner end, its peak and its outer end.
BROW = np.array([[1.1, 1.75, 8.5], [3.6, 2.3, 7.6], [4.9, 1.75, 6.2]])

# The tip of the nose, and a nostril.
NOSE_TIP = np.array([0.0, -3.9, 10.6])
NOSTRIL = np.array([0.57, -4.75, 9.5])

# The lips meet in `mouth_line`, from corner to corner; the red of the lips reaches so far above and
# below it in the middle of the face.
MOUTH_HALF_WIDTH = 2.45
MOUTH_HEIGHT = -6.9
UPPER_LIP, LOWER_LIP = 0.75, 0.95

CHIN = np.array([0.0, -10.6, 8.1])
CHEEKBONE = np.array([4.7, -2.3, 5.9])

# The jaw turns about the axis through this point along x; the neck turns about NECK.
HINGE = np.array([0.0, -2.6, -0.3])
NECK = np.array([0.0, -9.0, -2.5])

# The middle of an ear and its half extents; the hair begins at HAIRLINE in the middle of the
# forehead, and ends in the nape at NAPE; the face is in front of z = FACE_DEPTH.
EAR, EAR_EXTENT = np.array([7.3, -1.2, -0.7]), np.array([1.1, 3.0, 1.9])
HAIRLINE = 5.6
NAPE = -7.0
FACE_DEPTH = 3.5

# The template ends here, in the shoulders.
BOTTOM = -18.5


def smoothstep(x: Floats) -> Floats:
    """3 x^2 - 2 x^3 between 0 and 1, constant outside: the usual smooth step."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def almond(x: Floats, y: Floats, half_width: float, half_height: float) -> Floats:
    """Signed distance to the lens between two arcs of a circle with tips at (+-half_width, 0).

    Args:
      x, y: arrays of one shape.
      half_width: distance of a tip from the middle.
      half_height: height of the arcs over the middle, less than half_width.

    Returns:
      Negative inside, 0 on the arcs; beyond the tips it is less than the distance.
    """
    radius = (half_width**2 + half_height**2) / (2.0 * half_height)
    drop = radius - half_height
    return np.maximum(np.hypot(x, y + drop), np.hypot(x, y - drop)) - radius


def mouth_line(x: Floats) -> Floats:
    """Height at which closed lips meet at a distance from the middle of the face, in centimetres.

    The middle hangs a little (the tubercle of the upper lip), and the corners lie lower.
    """
    x = np.minimum(np.abs(x), MOUTH_HALF_WIDTH)
    return MOUTH_HEIGHT - 0.06 * np.cos(2.2 * x) * np.exp(-x) - 0.012 * x * x
