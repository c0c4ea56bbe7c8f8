// Labels from sparse annotations: between annotated frames, from frames to voxels, and smoothing of the voxels.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "usfast/parallel.hpp"

namespace usfast {

// Rows of an affine map: from a point (or voxel index) to column, row and signed distance (mm) of an image's plane.
using ToPlane = std::array<double, 12>;

// Signed distances (mm, negative inside) drawn on annotated frames, to be blended onto frames between them.
struct Blend {
    std::int64_t height = 0, width = 0;
    // Fields of the annotations: earlier, before, after, later; the first and last may be null.
    std::array<const float*, 4> field{};
    std::array<ToPlane, 4> to_field{};  // world to each field's image
    std::array<ToPlane, 2> bracket{};   // world to the images before and after: they set the weights
    // Ways along the path, mm: from earlier to before, before to after, after to later.
    std::array<double, 3> way{};
    // The structure is drawn before only (1) or after only (-1): its end is round, the square of the way counts.
    int ends = 0;
};

// Centres (world, mm) and radii of a disc in the section before and of its counterpart in the section after.
struct DiscPair {
    std::array<double, 3> before, after;
    double radius_before, radius_after;
};

// out (frames, height, width): for each pixel of each frame the blend of the distances on the two annotated planes, at
// the feet of its perpendiculars, by its own distances from the planes; `share` is the frame's, taken where a
// pixel does not lie between the planes. Fields earlier and later, where given, make it a cubic Hermite spline.
// With `discs` the feet lie on a line along the discs' motion, weighted by nearness. Bilinear samples, border repeated.
// Complexity: O(pixels), with discs O(pixels * discs). Memory: none beside the output.
bool blend_distances(const Blend& blend, const std::vector<DiscPair>& discs, const double* image_to_world,
                     const double* share, std::int64_t frames, int threads, float* out, const Progress& progress = {});

// Label frames of one pass. `to_frame` takes voxel indices (i, j, k) to a frame's column, row and distance.
struct LabelFrames {
    const std::uint8_t* label;  // (frames, height, width): 0 background, 1 to `structures`
    const std::uint8_t* known;  // (frames, structures)
    const std::uint8_t* mask;   // (height, width) or null
    std::int64_t frames, height, width;
    const ToPlane* to_frame;
    // Neighbouring frames and the box of voxels around the space between them: first, second, i0, i1, j0, j1, k0, k1.
    std::vector<std::array<std::int64_t, 8>> gaps;
};

constexpr std::uint8_t kOutside = 255;  // code of a voxel that no pair of frames has between them

// codes (nz, ny, nx): the structure with the largest share of the votes on it where that is more than half (ties: the
// smaller), else 0; kOutside where no two neighbouring frames enclose the voxel. Between two frames a voxel
// takes the nearest pixel of each, at one place of the image between them, weighted by its nearness to each.
// Complexity: O(voxels swept + rows of the gaps' boxes). Memory beside the output: 4 MiB a thread, at least a row's
// votes.
bool paint_labels(const std::vector<LabelFrames>& passes, std::int64_t structures,
                  const std::array<std::int64_t, 3>& shape, int threads, std::uint8_t* codes,
                  const Progress& progress = {});

struct Smoothing {
    std::vector<float> kernel;  // odd length: one side of the separable window, sum 1
    bool planar = false;        // along y and x only
    std::int64_t structures = 0;
    std::vector<float> bonus;  // (structures): added to each structure's membership before it is compared
    int threads = 1;
};

constexpr std::int64_t kBins = 8192;  // of `lead`

// out: for every voxel inside the hull the structure with the largest smoothed membership plus bonus (ties: the
// smaller), where that exceeds one half; else 0. Memberships are shares of the window inside the hull. `lead`, where it
// is not null, (structures, kBins), counts voxels by how much a structure's membership with its bonus leads (or
// trails) one half and the best other: bins over [-2, 2).
// Complexity: O(voxels) reads, O(voxels near a border * classes there * window) else. Memory: 1 MiB a thread and class.
bool smooth_codes(const std::uint8_t* codes, const std::array<std::int64_t, 3>& shape, const Smoothing& smoothing,
                  std::uint8_t* out, std::int64_t* lead, const Progress& progress = {});

// steps (height, width): number of dilations of `seed`, each kept inside `region`, until a pixel is reached; 0 on the
// seed, -1 where it is never. Dilations by a cross and by a square in turn, so that the front is an octagon.
void dilation_steps(const std::uint8_t* seed, const std::uint8_t* region, std::int64_t height, std::int64_t width,
                    std::int32_t* steps);

}  // namespace usfast
