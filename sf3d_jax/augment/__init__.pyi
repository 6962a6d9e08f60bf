from sf3d_jax.augment.appearance import random_color as random_color
from sf3d_jax.augment.appearance import random_eraser as random_eraser
from sf3d_jax.augment.geometry import random_crop as random_crop
from sf3d_jax.augment.geometry import random_flip as random_flip
from sf3d_jax.augment.geometry import random_scale as random_scale
