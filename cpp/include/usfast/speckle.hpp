// Speckle: how alike are patches of frames, and how far did each move in the image?
#pragma once

#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

// Frames (count, height, width), C order.
template <typename T>
struct Frames {
    const T* pixels;
    std::int64_t count, height, width;
};

// `count` patches of rows x columns pixels, all of them inside the frames; at most 2^15 pixels in a patch.
struct Patches {
    const std::int64_t* corners;  // (count, 2): row and column of each patch's first pixel
    std::int64_t count, rows, columns;
};

// out[i, lag - 1, p]: Pearson correlation of patch p of frames i and i + lag, lag = 1 .. window; NaN where there is no
// such frame or a patch is constant or not finite. Bytes are summed as integers, exactly; floats in double precision,
// their mean taken off. The bits depend neither on the number of threads nor on the instruction set. Time O(frames
// * window * pixels of the patches); memory beyond the output: window + 3 packed patches (at most 8 bytes a pixel) a
// thread, or of as many neighbouring patches as stay below 640 KiB. Returns false where `progress` stopped it.
bool correlate_pairs(const Frames<std::uint8_t>& frames, const Patches& patches, std::int64_t window, int threads,
                     float* out, const Progress& progress = {});
bool correlate_pairs(const Frames<float>& frames, const Patches& patches, std::int64_t window, int threads, float* out,
                     const Progress& progress = {});

// What track_patches writes, (pairs, patches) each; shift has (u, v) last, pixels.
struct PatchMotion {
    float* shift;
    float* correlation;  // r at the best whole displacement
    std::uint8_t* rim;   // 1: it lay on the rim of the search area, so that there is no shift
};

// How far each patch of frame pairs[2k] lies from its place in frame pairs[2k + 1]: the whole displacement of up to
// `search` pixels along each axis, inside the frame, where the correlation is largest (the first of equals, row by
// row), plus the vertex of the least-squares quadric through the 3 x 3 correlations around it. NaN where a patch is
// constant or the best lies on the rim. Bits as for correlate_pairs. Time O(pairs * pixels of the patches * search^2);
// memory beyond the outputs: one patch and its search area a thread.
bool track_patches(const Frames<std::uint8_t>& frames, const Patches& patches, const std::int64_t* pairs,
                   std::int64_t pair_count, std::int64_t search, int threads, const PatchMotion& motion,
                   const Progress& progress = {});

}  // namespace usfast
