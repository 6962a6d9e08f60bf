from sf3d_jax.fit._refine import Refined as Refined
from sf3d_jax.fit._refine import refine as refine
from sf3d_jax.fit.two_images import FittedFlow as FittedFlow
from sf3d_jax.fit.two_images import FittedSceneFlow as FittedSceneFlow
from sf3d_jax.fit.two_images import flow as flow
from sf3d_jax.fit.two_images import scene_flow as scene_flow
