// Blocks stay in the first-level cache; the loops inside are plain, for the compiler to vectorise.
#include "volume_kernel.hpp"

#include "../dispatch/level.hpp"

namespace usfast {
namespace {
constexpr int block = 256, lanes = 8;

// sum[i] = sum over neighbours q of p = at + i: w (x_p - x_q)
template <typename T>
inline void differences(const Lattice& g, const T* x, std::int64_t at, int count, T* __restrict sum) {
    for (int i = 0; i < count; ++i) sum[i] = 0;
    const T* here = x + at;
    for (int k = 0; k < lattice_edges; ++k) {
        const float* ahead = g.weight[k] + at;
        const float* back = ahead - g.offset[k];
        const T* next = here + g.offset[k];
        const T* last = here - g.offset[k];
        for (int i = 0; i < count; ++i)
            sum[i] += static_cast<T>(ahead[i]) * (here[i] - next[i]) + static_cast<T>(back[i]) * (here[i] - last[i]);
    }
}

template <typename Use>
inline void each_block(std::int64_t from, std::int64_t to, const Use& use) {
    for (std::int64_t at = from; at < to; at += block) use(at, static_cast<int>(to - at < block ? to - at : block));
}

void gather_known(const Lattice& g, const float* known, const float* source, double* right, std::int64_t from,
                  std::int64_t to) {
    each_block(from, to, [&](std::int64_t at, int count) {
        float excess[block] = {}, toward[block] = {};
        for (int k = 0; k < lattice_edges; ++k) {
            const std::int64_t o = g.offset[k];
            const float *ahead = g.weight[k] + at, *back = ahead - o;
            for (int i = 0; i < count; ++i) {
                excess[i] += ahead[i] * known[at + i + o] + back[i] * known[at + i - o];
                toward[i] += ahead[i] * source[at + i + o] + back[i] * source[at + i - o];
            }
        }
        for (int i = 0; i < count; ++i) g.excess[at + i] = excess[i], right[at + i] = static_cast<double>(toward[i]);
    });
}

void keep_sought(const Lattice& g, const float* sought, std::int64_t from, std::int64_t to) {
    for (int k = 0; k < lattice_edges; ++k) {
        float* w = g.weight[k];
        const float* other = sought + g.offset[k];
        for (std::int64_t p = from; p < to; ++p) w[p] *= sought[p] * other[p];
    }
}

void invert(const Lattice& g, const float* sought, std::int64_t from, std::int64_t to) {
    for (std::int64_t p = from; p < to; ++p) {
        float sum = g.excess[p];
        for (int k = 0; k < lattice_edges; ++k) sum += g.weight[k][p] + g.weight[k][p - g.offset[k]];
        g.inverse[p] = sought[p] > 0 && sum > 0 ? 1 / sum : 0;
    }
}

double apply(const Lattice& g, const double* x, double* y, std::int64_t from, std::int64_t to) {
    double product[lanes] = {};
    each_block(from, to, [&](std::int64_t at, int count) {
        double sum[block];
        differences(g, x, at, count, sum);
        for (int i = 0; i < count; ++i) {
            sum[i] += static_cast<double>(g.excess[at + i]) * x[at + i];
            y[at + i] = sum[i];
        }
        int i = 0;
        for (; i + lanes <= count; i += lanes)
            for (int j = 0; j < lanes; ++j) product[j] += sum[i + j] * x[at + i + j];
        for (; i < count; ++i) product[0] += sum[i] * x[at + i];
    });
    double all = 0;
    for (const double part : product) all += part;
    return all;
}

// One row of voxels, or the sums of one.
struct Row {
    std::int64_t at, count;  // first node; voxels without the one of no weight at the end
    std::int64_t number;     // counted over all planes
};

// Every third edge leads to the same row: rows on which voxels are coupled to those before and behind them.
constexpr int row_steps = 4;

// sum[i] += sum over the three neighbours in the row that lies `step` of the rows behind
inline void add_behind(const Lattice& g, int step, const Row& row, const float* x, float* __restrict sum) {
    const int k = 1 + 3 * step;
    const float *a = g.weight[k] + row.at, *b = g.weight[k + 1] + row.at, *c = g.weight[k + 2] + row.at;
    const float* near = x + row.at + g.offset[k + 1];
    for (std::int64_t i = 0; i < row.count; ++i) sum[i] += a[i] * near[i - 1] + b[i] * near[i] + c[i] * near[i + 1];
}

inline void add_before(const Lattice& g, int step, const Row& row, const float* x, float* __restrict sum) {
    const int k = 1 + 3 * step;
    const float* a = g.weight[k] + row.at - g.offset[k];
    const float* b = g.weight[k + 1] + row.at - g.offset[k + 1];
    const float* c = g.weight[k + 2] + row.at - g.offset[k + 2];
    const float* near = x + row.at - g.offset[k + 1];
    for (std::int64_t i = 0; i < row.count; ++i) sum[i] += a[i] * near[i + 1] + b[i] * near[i] + c[i] * near[i - 1];
}

inline std::int64_t rows_to(const Lattice& g, int step) { return (g.offset[2 + 3 * step]) / g.pitch; }

template <typename Use>
inline void each_row(const Lattice& g, std::int64_t from, std::int64_t to, bool down, const Use& use) {
    for (std::int64_t n = from; n < to; ++n) {
        const std::int64_t row = down ? to - 1 - (n - from) : n;
        if (row % g.plane_rows != g.plane_rows - 1) use(Row{row * g.pitch, g.pitch - 1, row});
    }
}

// Within a row voxels of even index come before those of odd index, so that each half is found at once.
// sum: what all other rows and the right-hand side give; value: the row before, of which the other half stays.
inline void relax_half(const Lattice& g, const Row& row, const float* __restrict sum, const float* __restrict value,
                       bool even, float* __restrict out) {
    const float *along = g.weight[0] + row.at, *inverse = g.inverse + row.at;
    const std::int64_t parity = even ? 0 : 1;
    for (std::int64_t i = 0; i < row.count; ++i) {
        const float found = (sum[i] + (along[i - 1] * value[i - 1] + along[i] * value[i + 1])) * inverse[i];
        out[i] = (i & 1) == parity ? found : value[i];
    }
}

void sweep_down(const Lattice& g, const float* b, float* x, std::int64_t from, std::int64_t to, float* scratch) {
    float *sum = scratch, *first = scratch + g.pitch + 1;  // a zero before it and one behind
    first[-1] = 0;
    each_row(g, from, to, false, [&](const Row& row) {
        const float *right = b + row.at, *inverse = g.inverse + row.at;
        for (std::int64_t i = 0; i < row.count; ++i) sum[i] = right[i];
        for (int step = 0; step < row_steps; ++step)
            if (row.number - rows_to(g, step) >= from) add_before(g, step, row, x, sum);
        for (std::int64_t i = 0; i < row.count; ++i) first[i] = sum[i] * inverse[i];
        first[row.count] = 0;
        relax_half(g, row, sum, first, false, x + row.at);
    });
}

void rest_after_sweep(const Lattice& g, const float* x, float* r, std::int64_t from, std::int64_t to) {
    each_row(g, from, to, false, [&](const Row& row) {
        const float *along = g.weight[0] + row.at, *here = x + row.at;
        float* sum = r + row.at;
        for (std::int64_t i = 0; i < row.count; ++i) {
            const float odd = along[i - 1] * here[i - 1] + along[i] * here[i + 1];
            sum[i] = (i & 1) == 0 ? odd : 0;
        }
        for (int step = 0; step < row_steps; ++step) {
            add_behind(g, step, row, x, sum);
            if (row.number - rows_to(g, step) < from) add_before(g, step, row, x, sum);
        }
    });
}

void sweep_up(const Lattice& g, const float* b, const float* old, float* x, std::int64_t from, std::int64_t to,
              float* scratch) {
    float *sum = scratch, *half = scratch + g.pitch + 1;
    half[-1] = 0;
    each_row(g, from, to, true, [&](const Row& row) {
        const float* right = b + row.at;
        for (std::int64_t i = 0; i < row.count; ++i) sum[i] = right[i];
        for (int step = 0; step < row_steps; ++step) {
            add_behind(g, step, row, row.number + rows_to(g, step) < to ? x : old, sum);
            add_before(g, step, row, old, sum);
        }
        relax_half(g, row, sum, old + row.at, false, half);
        half[row.count] = 0;
        relax_half(g, row, sum, half, true, x + row.at);
    });
}

}  // namespace

namespace USFAST_LEVEL {
extern const LatticeTable lattice_kernels;
const LatticeTable lattice_kernels{gather_known, keep_sought, invert, apply, sweep_down, rest_after_sweep, sweep_up};
}  // namespace USFAST_LEVEL

}  // namespace usfast
