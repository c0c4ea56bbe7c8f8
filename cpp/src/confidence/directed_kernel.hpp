// The inner loop of the directed confidence map, compiled once for each instruction set level: plain data only.
#pragma once

#include <cstdint>

namespace usfast {

constexpr int directed_reach = 10;  // columns to either side from which a pixel hears
constexpr int directed_parents = 2 * directed_reach + 1;
constexpr int directed_lanes = 4;  // arrays hold a multiple of it, zeros behind the row

// One row and the row above it. The edge from parent column j + k has the gradient |fixed[j] - moved[j -+ k]| + floor.
struct DirectedStep {
    std::int64_t count;  // columns
    const double* fixed;
    const double* moved;  // moved and above: readable from -directed_reach to count + directed_reach
    const double* above;  // confidence of the row above
    const double* marks;  // null, or for each column 0, mark_needle or mark_artifact
    int sign;             // of k in moved
    double floor, loss, power;
    double largest;  // gradient at a needle
    double cap;
    const double* spread;  // (directed_parents) share of each parent
};

constexpr double mark_needle = 1, mark_artifact = 2;

struct DirectedTable {
    double (*largest_gradient)(const DirectedStep&);
    void (*descend)(const DirectedStep&, double* out);
};

const DirectedTable& directed_table();  // of the best level that this machine runs

}  // namespace usfast
