from sf3d_jax.rigid.tracks.chaining import chain as chain
from sf3d_jax.rigid.tracks.motion import Motion as Motion
from sf3d_jax.rigid.tracks.tracking import Tracks as Tracks
from sf3d_jax.rigid.tracks.tracking import track as track
