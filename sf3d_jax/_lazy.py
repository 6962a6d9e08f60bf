"""Public names of a package, listed once in its `__init__.pyi` and imported when first used.

Type checkers and editors read the stub itself. At run time `attach` parses it, so that
`import sf3d_jax` does not wait for packages that the program never touches. A line of the stub is

    from sf3d_jax.camera import Camera as Camera

The error for an unknown name suggests the name that was probably meant: the same name in another
package, a similar spelling, or what other libraries call the same thing.
"""

import ast
import difflib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parent

# Other libraries' names for what this one offers, in lower case, without underscores and "loss".
_SYNONYMS = {
    "backward_warp": "warp warpflow flowwarp imagewarp warpimage denseimagewarp remap warping "
    "inversewarp resample",
    "sample": "gridsample bilinearsampler bilinearsample sampler mapcoordinates "
    "bilinearinterpolation",
    "forward_splat": "splat splatting softsplat softmaxsplatting forwardwarp summationsplatting",
    "pixel_grid": "coordsgrid coordinategrid meshgrid pixelcoords grid makegrid",
    "resize_image": "resize interpolateimage downsample imresize scaleimage",
    "resize_flow": "upflow upflow8 upsampleflow scaleflow flowresize",
    "unproject": "backproject backprojection pixel2cam inverseproject lift disparitytopoints",
    "point_map": "pointcloud depthtopoints depth2points depthtopointcloud depthtopointmap xyzmap",
    "normals": "surfacenormals normalmap depthtonormals depthtonormal estimatenormals",
    "se3.exp": "se3exp expmap exponentialmap",
    "se3.log": "se3log logmap logarithmmap",
    "se3.apply": "transformpoints applytransform transform",
    "se3.compose": "composetransforms relativetransformation",
    "se3.inverse": "invert invertpose inversetransformation",
    "se3.from_rotation_vector": "rodrigues axisangletomatrix fromrotvec",
    "se3.to_rotation_vector": "matrixtoaxisangle asrotvec",
    "se3.from_quaternion": "quaterniontomatrix fromquat",
    "se3.to_quaternion": "matrixtoquaternion asquat",
    "se3.interpolate": "slerp",
    "project": "cam2pixel reproject pinholeproject projectpoints",
    "scene_flow": "lift3d flowtosceneflow flow3d pixeltosceneflow",
    "image_motion": "sceneflowtoflow projectsceneflow2flow projectsceneflow inducedflow",
    "rigid_motion": "rigidflow egoflow egomotionflow staticflow cameraflow",
    "occlusion_from_consistency": "occlusionmask occmask fbconsistency "
    "forwardbackwardconsistency checkconsistency fbcheck computeocclusion",
    "occlusion_from_range_map": "rangemap rangemapocclusion wangocclusion",
    "depth_change.from_disparities": "disparitytodepth disptodepth disp2depth disparity2depth "
    "depthfromdisparity disparitychange",
    "depth_change.to_disparities": "depthtodisparity depth2disp depthtodisp",
    "depth_change.from_depths": "depthtoinversedepth inversedepth inversedepthchange",
    "depth_change.to_motion_in_depth": "mid",
    "depth_change.to_time_to_contact": "timetocontact timetocollision ttc",
    "losses.end_point_error": "epe aepe averageendpointerror",
    "losses.census": "censustransform ternary ternarycensus hammingdistance",
    "losses.ssim": "structuralsimilarity dssim",
    "losses.photometric": "photo reprojection",
    "losses.first_order_smoothness": "smoothness edgeawaresmoothness smoothgradfirst",
    "losses.second_order_smoothness": "smoothgradsecond",
    "losses.multi_scale_flow": "multiscaleepe",
    "losses.general_robust": "robust adaptiverobust barron generaladaptive lossfun",
    "losses.l1": "mae",
    "losses.l2": "mse",
    "losses.total_variation": "tv",
    "metrics.KittiSceneFlow": "fl flall f1 f1all kittimetrics outliers kittiscore",
    "metrics.SintelFlow": "sintelmetrics epematched",
    "metrics.TapVid": "averagejaccard computetapvidmetrics tapvidmetrics",
    "metrics.TapVid3D": "computetapvid3dmetrics tapvid3dmetrics",
    "tracks.chain": "composeflow combineflow accumulateflow chainflow concatenateflow",
    "tracks.track": "pointtracking trackpoints tracker trackanypoint",
    "views.flow_to_color": "flowtoimage flow2rgb flowtorgb flowviz flow2img visualizeflow "
    "colorwheel makecolorwheel flowtocolour",
    "views.scalar_to_color": "depthtocolor colormap colorize disptocolor depthtoimage",
    "views.picture_sheet": "sheet plot show visualize",
    "augment.random_color": "colorjitter photometricaugmentation jitter coloraugmentation",
    "augment.random_eraser": "eraser erasertransform randomerasing",
    "augment.random_scale": "randomresize spatialtransform spatialaugmentation randomzoom",
    "gaussians.render": "rasterize rasterization gaussiansplatting render3dgs",
    "data.read_flow": "readflo readflowkitti loadflow flowread readflopng readflowfile readgen",
    "data.write_flow": "writeflo flowwrite saveflow writeflowkitti",
    "data.read_image": "imread loadimage readpng",
    "data.write_image": "imwrite saveimage writepng",
    "data.read_disparity": "readdisp loaddisparity dispread readdispkitti",
    "data.read_map": "readpfm readdepth loaddepth readdpt depthread",
    "data.loader": "dataloader fetchdataloader",
    "data.Kitti2015": "kitti kittisceneflow2015 kittidataset",
    "data.FlyingThings3D": "flyingthings sceneflowdataset things",
    "data.Sintel": "mpisintel",
    "data.stack": "collate collatefn",
}


def attach(
    package: str, file: str
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Makes `__getattr__`, `__dir__` and `__all__` for a package from its stub.

    Args:
      package: the package's `__name__`.
      file: the package's `__file__`; the stub is next to it.

    Returns:
      (`__getattr__`, `__dir__`, `__all__`), to be assigned in the package's `__init__.py`.
    """
    homes = _read_stub(Path(file).with_suffix(".pyi"))

    def get(name: str) -> object:
        if name not in homes:
            hint = "" if name.startswith("_") else _suggest(package, name)
            raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")
        home = homes[name]
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        # `from home import name` does the same, so `name` may also be a module.
        value = getattr(importlib.__import__(home, fromlist=[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    names = sorted(homes)
    return get, lambda: names, names


def _read_stub(stub: Path) -> dict[str, str]:
    """Returns {name: module that it comes from}."""
    return {
        alias.name: node.module
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _suggest(package: str, name: str) -> str:
    """Returns "; did you mean ...?" for a name that a package lacks, or "" without a candidate."""
    places = _list_places()
    own = package.removeprefix(_ROOT.name).lstrip(".").split(".")[-1]
    by_word = {_squeeze(path.split(".")[-1]): path for path in reversed(places)}
    # The package's own names take precedence over those of other packages.
    by_word |= {_squeeze(x.split(".")[-1]): x for x in places if x.rpartition(".")[0] == own}
    synonyms = {word: path for path, words in _SYNONYMS.items() for word in words.split()}
    word = _squeeze(name).removesuffix("loss")
    path = by_word.get(word) or synonyms.get(word)
    if path is None:
        found = difflib.get_close_matches(word, by_word, n=1, cutoff=0.75)
        path = by_word[found[0]] if found else None
    return f"; did you mean {_ROOT.name}.{path}?" if path else ""


def _list_places() -> list[str]:
    """Lists the paths of all public names below the package, top-level names first."""
    top = _read_stub(_ROOT / "__init__.pyi")
    inner = {}
    for name, home in top.items():
        stub = _ROOT.parent.joinpath(*home.split("."), name, "__init__.pyi")
        inner[name] = _read_stub(stub) if stub.exists() else {}
    return [*top, *(f"{name}.{x}" for name, names in inner.items() for x in names)]


def _squeeze(name: str) -> str:
    return name.replace("_", "").lower()
