// Distances between the surfaces of two masks on one grid, and how much the masks overlap.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "usfast/parallel.hpp"

namespace usfast {

using Index3 = std::array<std::int64_t, 3>;  // z, y, x

// Where a structure lies in an array: voxels [begin, end) of an array of `shape`, x contiguous.
template <typename T>
struct MaskView {
    const T* data;
    Index3 shape;
    Index3 stride;  // in elements; stride[2] == 1
    Index3 begin;
    Index3 end;
};

struct SurfaceOptions {
    bool planar = false;              // two-dimensional: one slice, z has no neighbours
    bool surfels = false;             // corners of voxels with marching-cubes areas instead of border voxels
    int connectivity = 1;             // of the border's definition: 1 faces, 2 edges too, 3 corners too
    bool edge_is_surface = true;      // whether a structure ends where the image ends
    std::array<double, 3> spacing{};  // z, y, x; mm
    std::array<double, 256> area{};   // of a surfel, by the code of the eight voxels around a corner; mm2
    int threads = 1;
};

// What is found from one surface to the other: every distance that occurs, ascending, and its weight (the number
// of border voxels, or the area of the surfels).
struct DistanceTable {
    std::vector<double> distance;
    std::vector<double> weight;
};

struct SurfaceDistances {
    DistanceTable a_to_b;
    DistanceTable b_to_a;
    std::int64_t voxels_a = 0;
    std::int64_t voxels_b = 0;
    std::int64_t voxels_both = 0;
};

// A voxel belongs to the structure where it equals `label`, or, with label < 0, where it is not 0. `only`, where its
// data is not null, keeps those surface elements alone as starting points that touch a voxel marked there; the
// surface they are measured to stays whole. An empty surface gives tables without entries where it is the start,
// and infinite distances where it is the end.
// Complexity: one read of both masks, then, for a surface element at distance d, about pi (d / spacing)^2 rows; never
// more than an exact distance transform of the box around both structures. Memory: a quarter byte a voxel of the
// views, and half a byte for each 16 voxels' rows where the transform is needed.
template <typename T>
SurfaceDistances surface_distances(const MaskView<T>& a, const MaskView<T>& b, const MaskView<std::uint8_t>& only,
                                   std::int64_t label, const SurfaceOptions& options, const Progress& progress = {});

}  // namespace usfast
