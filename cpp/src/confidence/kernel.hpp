// The inner loops of the confidence solver, compiled once for each instruction set level: plain data only, as in
// scatter.hpp. The linear system is eliminated without a subtraction: Grassmann, Taksar and Heyman, Oper. Res. 33
// (1985). A node's diagonal entry is never stored; it is the sum of its couplings to what is not yet eliminated and of
// its excess, the coupling to pixels of known value. So every number here is a sum of products of positive numbers.
#pragma once

#include <cstdint>

namespace usfast {

constexpr int tile_side = 15;                      // pixels; every 16th row and column of the image lies between tiles
constexpr int tile_inner = tile_side * tile_side;  // nodes of a tile, numbered in the order of elimination
constexpr int tile_ring = 4 * (tile_side + 1);     // nodes around it
constexpr int tile_fronts = 31;                    // of the dissection of a tile, down to 3 x 3 pixels
constexpr int tile_update = tile_ring * (tile_ring - 1) / 2 + 2 * tile_ring;

// Couplings of a pixel to the right, below, below right, below left; excess; coupling to sources.
constexpr int planes = 6;
constexpr int tile_rows = tile_side + 1, tile_columns = tile_side + 2;  // from row -1, column -1

// A dense front: rows are the pivots, the boundary, the excess, the right-hand side. Columns are packed: column j holds
// the rows below j.
struct TileFront {
    int pivots, boundary, first;   // first: number of the first pivot
    int left, right;               // fronts that are assembled into this one, or -1
    const std::int16_t* nodes;     // (boundary): their numbers
    const std::int16_t* place[2];  // row in this front of each boundary node of left and right
    const std::int16_t* edges;     // (edge_count, 3): column, row, index into the inputs' couplings
    int edge_count;
    const std::int16_t* own;  // (pivots): index of the pivot's pixel in a plane
    std::int64_t factor;      // where its columns lie in the tile's factor
    std::int64_t update;      // where its update lies in the scratch
};

struct TilePlan {
    TileFront fronts[tile_fronts];  // children first
    std::int64_t factor_size, scratch_size;
};

constexpr int panel_width = 32;
constexpr int column_block = 4;

// A dense front above the tiles: rows are the pivots, zeros up to a multiple of 16, the boundary, the excess, the
// right-hand side, zeros. Pivot columns lie in panels of 32; panel p holds the rows from 32 p on. So do the boundary's,
// counted from the first boundary node.
template <typename T>
struct Front {
    std::int64_t pivots, offset, boundary, rows;  // offset: row of the first boundary node; rows: with all zeros
    T *factor, *update;                           // the panels of the pivots and of the boundary
};

// Static, so that no level's copy serves another.
static constexpr std::int64_t front_round(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }
// Distance between columns: whole cache lines, an odd number of them, so that columns spread over the cache's sets.
static constexpr std::int64_t front_stride(std::int64_t rows) { return 16 * (front_round(rows, 16) / 16 | 1); }

// Numbers in the panels of so many columns.
static constexpr std::int64_t panels_size(std::int64_t rows, std::int64_t columns) {
    std::int64_t size = 0;
    for (std::int64_t origin = 0; origin < columns; origin += panel_width) {
        const std::int64_t left = columns - origin;
        size += front_stride(rows - origin) * (left < panel_width ? front_round(left, column_block) : panel_width);
    }
    return size;
}

template <typename T>
struct ConfidenceKernels {
    int lanes;  // tiles that are eliminated side by side, one in each lane of a vector
    // inputs: (planes, tile_rows, tile_columns, lanes); update: (tile_update, lanes).
    void (*tile_forward)(const TilePlan&, const T* inputs, T* factor, T* update, T* scratch);
    // values: (tile_inner + tile_ring, lanes), of which the ring is known.
    void (*tile_backward)(const TilePlan&, const T* factor, T* values);
    // Eliminates the pivots. scratch: panel_width * (rows + 16) numbers.
    void (*front_forward)(const Front<T>&, T* scratch);
    // values: (rows), the boundary's are known; finds those of the pivots.
    void (*front_backward)(const Front<T>&, T* values);
};

struct ConfidenceTable {
    ConfidenceKernels<double> in_double;
    ConfidenceKernels<float> in_single;
    // Largest difference of `count` neighbours.
    double (*largest_difference)(const double* a, const double* b, std::int64_t count);
    // exp(-beta (|a - b| / first + penalty) / second) + floor
    void (*weights)(const double* a, const double* b, std::int64_t count, double first, double penalty, double second,
                    double beta, double floor, double* out);
};

const ConfidenceTable& confidence_table();

}  // namespace usfast
