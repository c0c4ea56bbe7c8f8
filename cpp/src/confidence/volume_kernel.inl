// Included by one file for each instruction set level. Blocks stay in the first-level cache; the loops inside are
// plain, for the compiler to vectorise.
namespace usfast::USFAST_LEVEL {
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

void residual(const Lattice& g, const float* x, const float* b, float* r, std::int64_t from, std::int64_t to) {
    each_block(from, to, [&](std::int64_t at, int count) {
        float sum[block];
        differences(g, x, at, count, sum);
        for (int i = 0; i < count; ++i) r[at + i] = b[at + i] - (sum[i] + g.excess[at + i] * x[at + i]);
    });
}

void smooth(const Lattice& g, const float* x, const float* b, float c1, float c2, float* d, float* y, std::int64_t from,
            std::int64_t to) {
    each_block(from, to, [&](std::int64_t at, int count) {
        float sum[block];
        differences(g, x, at, count, sum);
        for (int i = 0; i < count; ++i) {
            const float rest = b[at + i] - (sum[i] + g.excess[at + i] * x[at + i]);
            const float step = c1 * d[at + i] + c2 * g.inverse[at + i] * rest;
            d[at + i] = step;
            y[at + i] = x[at + i] + step;
        }
    });
}

}  // namespace

extern const LatticeKernels volume_kernels;
const LatticeKernels volume_kernels{gather_known, keep_sought, invert, apply, residual, smooth};

}  // namespace usfast::USFAST_LEVEL
