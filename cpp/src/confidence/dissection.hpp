// Nested dissection of an image: the order in which its pixels are eliminated, known from its size alone.
#pragma once

#include <cstdint>
#include <vector>

namespace usfast {

// Pixels of a row or column between tiles: those at coordinates [low, high) along it are numbered from `base` on.
struct Line {
    bool there = false;
    bool vertical = false;
    std::int64_t at = 0, low = 0, high = 0, base = 0;
    std::int64_t number(std::int64_t along) const { return base + along - low; }
};

struct Interval {
    std::int64_t first, count;
};

// One step: the pivots are the pixels of a line through a region, the boundary those around the region. Both are
// numbered, and ordered, by elimination.
struct Step {
    Line line;
    Line across[2];                  // the region's boundary at the line's two ends
    std::vector<Interval> boundary;  // ascending
    std::int64_t boundary_count = 0;
    std::int64_t child[2] = {-1, -1};  // steps, or -1 - tile
    int depth = 0;
    std::int64_t factor = 0;  // where its panels lie
    std::int64_t pivots() const { return line.high - line.low; }
};

struct Tile {
    std::int64_t row, column;        // of its first pixel
    std::int64_t rows, columns;      // of its pixels inside the image
    std::vector<std::int64_t> ring;  // numbers of the nodes around it, -1 outside the image
};

struct Dissection {
    std::int64_t height, width;
    std::int64_t numbered = 0;      // pixels on lines
    std::int64_t factor_size = 0;   // numbers in all panels
    std::int64_t largest_rows = 0;  // of a front
    std::vector<Step> steps;        // children before parents
    std::vector<Tile> tiles;        // in the order in which the steps need them
    std::int64_t root = -1;         // as Step::child
};

Dissection dissect(std::int64_t height, std::int64_t width);

}  // namespace usfast
