"""gsplat's own reference in PyTorch, with what it leaves to CUDA or to Python's loops vectorised.

`gsplat.cuda._torch_impl` runs eagerly: its projection, `_isect_offset_encode`,
`_rasterize_to_pixels` and `accumulate` as they are, with its own boxes and tiles of 16 pixels. What
it leaves to CUDA or to Python's loops is written here in PyTorch, vectorised: the pairs of tile and
Gaussian (`_isect_tiles`, loops there), the pixels that a Gaussian reaches
(`rasterize_to_indices_in_range`, CUDA there), and the two functions of nerfacc that `accumulate`
calls (CUDA there in part).

PyTorch has as many threads as it takes by itself, but they sleep while they wait, unless
OMP_WAIT_POLICY says otherwise: where another program runs, threads that spin take two to twenty
times as long, which is no merit of ours.
"""

import os
import sys
import types
from unittest import mock

import numpy as np

# Relative distances to the thresholds of alpha and of transmittance that rounding may pass.
ALPHA_BAND, TRANSMITTANCE_BAND = 2e-4, 1e-3


class Gsplat:
    """gsplat's reference, on the same head."""

    tile = 16

    def __init__(self, now, side, focal):
        # Read when PyTorch is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import torch
        from gsplat.cuda import _torch_impl, _wrapper

        self.torch, self.reference, self.wrapper = torch, _torch_impl, _wrapper
        self.side, self.leaves = side, [torch.from_numpy(x) for x in now]
        # gsplat's pixel centres are half a pixel from the image's corner.
        middle = side / 2
        self.matrix = torch.tensor([[[focal, 0, middle], [0, focal, middle], [0, 0, 1]]])
        self.band = None

    def __call__(self):
        """(colours, alpha)."""
        torch, reference, side = self.torch, self.reference, self.side
        means, scales, rotations, opacities, colors = self.leaves
        covariances, _ = reference._quat_scale_to_covar_preci(
            rotations, scales, compute_preci=False
        )
        radii, centres, depths, conics, _ = reference._fully_fused_projection(
            means, covariances, torch.eye(4)[None], self.matrix, side, side
        )
        tiles = -(-side // self.tile)
        keys, ids = self.tile_pairs(centres, radii, depths, tiles)
        offsets = reference._isect_offset_encode(keys, 1, tiles, tiles)
        nerfacc = types.ModuleType("nerfacc")
        nerfacc.render_weight_from_alpha = self.render_weight_from_alpha
        nerfacc.accumulate_along_rays = self.accumulate_along_rays
        with (
            mock.patch.dict(sys.modules, nerfacc=nerfacc),
            mock.patch.object(self.wrapper, "rasterize_to_indices_in_range", self.pixels_reached),
        ):
            image, alpha = reference._rasterize_to_pixels(
                centres, conics, colors[None], opacities[None], side, side, self.tile, offsets, ids
            )
        return image[0], alpha[0, ..., 0]

    def gradient(self, numbers):
        numbers = [self.torch.from_numpy(np.array(x)) for x in numbers]

        def run():
            for x in self.leaves:
                x.requires_grad_(True)
                x.grad = None
            sum((x * n).sum() for x, n in zip(self(), numbers, strict=True)).backward()
            for x in self.leaves:
                x.requires_grad_(False)
            return [x.grad.numpy() for x in self.leaves]

        return run

    def tile_pairs(self, centres, radii, depths, tiles):
        """As `_isect_tiles`: keys (tile, depth) in order, and the Gaussian of each."""
        torch = self.torch
        with torch.no_grad():
            centres, radii = centres[0] / self.tile, radii[0] / self.tile
            low = torch.floor(centres - radii).int().clamp(0, tiles)
            size = torch.ceil(centres + radii).int().clamp(0, tiles) - low
            counts = size.prod(-1) * (radii > 0).all(-1)
            ids = torch.repeat_interleave(counts)
            nth = torch.arange(len(ids)) - (counts.cumsum(0) - counts)[ids]
            (left, top), columns = low[ids].unbind(-1), size[ids, 0]
            tile = (top + nth // columns) * tiles + left + nth % columns
            keys, order = (tile << 32 | depths[0].view(torch.int32)[ids]).sort(stable=True)
            return keys, ids[order].int()

    def pixels_reached(self, start, stop, transmittances, centres, conics, opacities, *rest):
        """As `rasterize_to_indices_in_range`: ids of Gaussians, pixels and images, by pixel."""
        torch = self.torch
        width, _, tile, offsets, ids = rest
        with torch.no_grad():
            parameters = [*centres[0].unbind(-1), *conics[0].unbind(-1), opacities[0]]
            bounds = torch.cat([offsets.flatten(), torch.tensor([len(ids)])])
            first = bounds[:-1] + start * tile**2
            counts = (torch.minimum(bounds[1:], bounds[:-1] + stop * tile**2) - first).clamp(0)
            # Tiles of about as many Gaussians together, so that little is padding.
            order = counts.argsort(descending=True)[: int((counts > 0).sum())]
            found, done = [], 0
            while done < len(order):
                depth = int(counts[order[done]])
                chunk = order[done : done + max(1, 2**21 // (depth * tile**2))]
                nth = torch.arange(depth)
                inside = nth < counts[chunk][:, None]
                members = ids[torch.where(inside, first[chunk][:, None] + nth, 0)]
                rows, columns = chunk // offsets.shape[-1], chunk % offsets.shape[-1]
                steps = torch.arange(tile)
                y, x = rows[:, None] * tile + steps, columns[:, None] * tile + steps
                pixels = y[:, :, None] * width + x[:, None]
                before = transmittances.flatten()[pixels]
                reached = self.reached(parameters, members.long(), inside, y, x, pixels, before)
                at = reached.nonzero(as_tuple=True)
                found.append((members[at[0], at[3]], pixels[at[:3]]))
                done += len(chunk)
            gaussians, pixels = (torch.cat(x).long() for x in zip(*found, strict=True))
            return gaussians, pixels, torch.zeros_like(pixels)

    def reached(self, parameters, members, inside, y, x, pixels, transmittance, step=64):
        """Which Gaussians of the tiles reach which pixels: (tiles, rows, columns, Gaussians)."""
        torch = self.torch
        result = torch.zeros(*pixels.shape, members.shape[1], dtype=torch.bool)
        alive = torch.arange(len(members))
        for i in range(0, members.shape[1], step):
            some = members[alive, i : i + step]
            u, v, a, b, c, opacity = (p[some][:, None] for p in parameters)
            dx, dy = x[alive][..., None] + 0.5 - u, y[alive][..., None] + 0.5 - v
            # The terms of rows, of columns, and their product: few passes over all pixels.
            exponent = (0.5 * a * dx * dx)[:, None] + (0.5 * c * dy * dy)[:, :, None]
            exponent.addcmul_((b * dy)[:, :, None], dx[:, None])
            alpha = torch.exp(-exponent).mul_(opacity[:, None]).clamp_max_(0.999)
            hit = (alpha >= 1 / 255) & (exponent >= 0) & inside[alive, None, None, i : i + step]
            after = torch.where(hit, 1 - alpha, 1).cumprod_(-1)
            after.mul_(transmittance[alive][..., None])
            result[alive, ..., i : i + step] = hit & (after > 1e-4)
            if self.band is not None:
                near = ((255 * alpha - 1).abs() < ALPHA_BAND) & (after > 0.9e-4)
                near |= (1e4 * after - 1).abs() < TRANSMITTANCE_BAND
                self.band[pixels[alive][near.any(-1)]] = True
            transmittance[alive] = after[..., -1]
            alive = alive[(after[..., -1] > 1e-4).flatten(1).any(-1)]
            if not len(alive):
                break
        return result

    def render_weight_from_alpha(self, alphas, ray_indices, n_rays):
        """As nerfacc's, by one sum of logarithms over all pixels."""
        torch = self.torch
        logs = torch.log1p(-alphas.double())
        sums = logs.cumsum(0) - logs
        counts = torch.unique_consecutive(ray_indices, return_counts=True)[1]
        starts = sums[counts.cumsum(0) - counts]
        before = torch.exp(sums - starts.repeat_interleave(counts)).to(alphas.dtype)
        return alphas * before, before

    def accumulate_along_rays(self, weights, values, ray_indices, n_rays):
        """As nerfacc's."""
        terms = weights[:, None] if values is None else weights[:, None] * values
        return terms.new_zeros(n_rays, terms.shape[-1]).index_add(0, ray_indices, terms)

    def threshold_band(self):
        """The pixels where a Gaussian is within rounding of a threshold."""
        self.band = self.torch.zeros(self.side**2, dtype=self.torch.bool)
        with self.torch.no_grad():
            self()
        band, self.band = self.band.reshape(self.side, self.side).numpy(), None
        return band
