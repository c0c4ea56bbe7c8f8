"""Compounding without vector code: a loop in C++, compiled here, and the same under numba where it is installed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("naive_compound.cpp")


def matrices(image_to_world, grid):
    """(N, 3, 4) from pixels to continuous voxel indices."""
    return np.ascontiguousarray((grid.world_to_voxel @ image_to_world)[:, :3])


def cpp_loops():
    """Name -> function of (frames, image_to_world, grid); empty where there is no C++ compiler."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        print("no C++ compiler: the naive loop in C++ is left out")
        return {}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "naive_compound.so"
        flags = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library)], check=True)
        loops = ctypes.CDLL(str(library))

    def function(name):
        kernel = getattr(loops, name)
        kernel.restype = None

        def run(frames, image_to_world, grid):
            volume, weight = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
            places = matrices(image_to_world, grid)
            sizes = map(ctypes.c_int64, frames.shape)
            kernel(
                pointer(frames),
                *sizes,
                pointer(places),
                *map(ctypes.c_int64, grid.size),
                *map(pointer, (volume, weight)),
            )
            return volume, weight

        return run

    return {f"C++ loop {name}": function(name) for name in ("nearest", "linear", "gaussian")}


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def numba_loops():
    """Name -> function, as `cpp_loops`; empty without numba."""
    try:
        from numba import njit
    except ImportError:
        print("numba is not installed: its loop is left out")
        return {}

    @njit
    def nearest(frames, places, volume, weight):
        for n in range(frames.shape[0]):
            m = places[n]
            for v in range(frames.shape[1]):
                for u in range(frames.shape[2]):
                    x = int(np.floor(m[0, 0] * u + m[0, 1] * v + m[0, 3] + 0.5))
                    y = int(np.floor(m[1, 0] * u + m[1, 1] * v + m[1, 3] + 0.5))
                    z = int(np.floor(m[2, 0] * u + m[2, 1] * v + m[2, 3] + 0.5))
                    if 0 <= x < volume.shape[2] and 0 <= y < volume.shape[1] and 0 <= z < volume.shape[0]:
                        volume[z, y, x] += frames[n, v, u]
                        weight[z, y, x] += 1

    @njit
    def linear(frames, places, volume, weight):
        for n in range(frames.shape[0]):
            m = places[n]
            for v in range(frames.shape[1]):
                for u in range(frames.shape[2]):
                    p = m[0, 0] * u + m[0, 1] * v + m[0, 3]
                    q = m[1, 0] * u + m[1, 1] * v + m[1, 3]
                    r = m[2, 0] * u + m[2, 1] * v + m[2, 3]
                    for corner in range(8):
                        x, y, z = (
                            int(np.floor(p)) + corner % 2,
                            int(np.floor(q)) + corner // 2 % 2,
                            int(np.floor(r)) + corner // 4,
                        )
                        if 0 <= x < volume.shape[2] and 0 <= y < volume.shape[1] and 0 <= z < volume.shape[0]:
                            share = np.float32((1 - abs(p - x)) * (1 - abs(q - y)) * (1 - abs(r - z)))
                            volume[z, y, x] += share * frames[n, v, u]
                            weight[z, y, x] += share

    def function(kernel):
        def run(frames, image_to_world, grid):
            volume, weight = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
            kernel(frames, matrices(image_to_world, grid), volume, weight)
            return np.divide(volume, weight, out=volume, where=weight > 0), weight

        return run

    return {"numba loop nearest": function(nearest), "numba loop linear": function(linear)}
