"""Data sets: samples by index, in one convention whatever the files' own are."""

from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._recognise import recognise
from sf3d_jax.data.sets.folders import FolderPairs
from sf3d_jax.data.sets.kitti2015 import Kitti2015
from sf3d_jax.data.sets.sintel import Sintel
from sf3d_jax.data.sets.spring import Spring
from sf3d_jax.data.sets.srflow3d import SRFlow3D
from sf3d_jax.data.sets.srflow3d_writer import Motion, SRFlow3DWriter
from sf3d_jax.data.sets.tartanair import TartanAir
from sf3d_jax.data.sets.things import Driving, FlyingThings3D, Monkaa
from sf3d_jax.data.sets.vkitti2 import VirtualKitti2

__all__ = [
    "Dataset",
    "Driving",
    "Entry",
    "FlyingThings3D",
    "FolderPairs",
    "Kitti2015",
    "Monkaa",
    "Motion",
    "SRFlow3D",
    "SRFlow3DWriter",
    "Sintel",
    "Spring",
    "TartanAir",
    "VirtualKitti2",
    "recognise",
]
