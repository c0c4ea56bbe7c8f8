// Incremental compounding: the cells of a grid in bricks that exist only where a pixel fell.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "usfast/compound.hpp"

namespace usfast {

// Voxels [begin, end) of a grid, x, y, z.
struct Box {
    std::array<std::int64_t, 3> begin, end;

    bool empty() const { return begin[0] >= end[0] || begin[1] >= end[1] || begin[2] >= end[2]; }
};

// The voxels of `domain`, in the indices of the whole grid: image_to_voxel and the boxes below count from its first
// voxel, so that a part of a grid has the bits of the whole. Not safe for use by two threads at once.
class Bricks {
  public:
    Bricks(const Box& domain, const CompoundOptions& options, Dtype dtype);

    // Adds pixels. Frames added in one call or in several give the same bits, those of compound(). Each frame finds
    // the bricks that it crosses by being cut along their faces; of each of them, the cells within reach of its
    // pixels are loaded and stored. O(pixels * voxels of the kernel); the memory of a scratch brick a thread, and of
    // the crossings. Returns false, or throws, where `progress` stopped the work: with `undo`, which keeps a copy of
    // the cells that it changes while it runs, nothing was added; without, the bricks are only good to be cleared.
    bool add(const FrameStack& frames, int threads, bool undo, const Progress& progress = {});

    // Volume and weight of `box`, as by compound(). Voxels that no pixel reached are left alone: give zeros.
    bool write(const Box& box, void* volume, float* weight, int threads, const Progress& progress = {}) const;

    std::int64_t bytes() const;                  // of all cells kept
    Box touched() const;                         // holds every voxel that has a weight; empty where none has
    std::int64_t scratch_bytes() const;          // a thread, in add()
    std::int64_t cell() const { return cell_; }  // bytes of one
    std::int64_t side() const { return side_; }  // voxels across a brick
    void clear();

  private:
    struct Release {
        void operator()(std::byte* cells) const;
    };
    using Cells = std::unique_ptr<std::byte[], Release>;
    using Key = std::array<std::int32_t, 3>;  // z, y, x
    struct Crossing;
    struct Group;
    class Cutter;

    static Cells allocate(std::int64_t bytes);
    std::int64_t scratch_cells(const Box& box) const;
    Box box_of(const Key& key) const;
    void run(const FrameStack& frames, const Group& group, const Crossing* crossings, std::byte* scratch,
             std::int64_t* index, double* matrices) const;

    Box domain_;
    CompoundOptions options_;
    Dtype dtype_;
    std::int64_t cell_, side_, pad_;
    double reach_;
    Box touched_;
    std::map<Key, Cells> bricks_;
};

}  // namespace usfast
