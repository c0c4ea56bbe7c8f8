// The mean with Gaussian weights over (2 radius + 1)^3 voxels. Weights of a block of pixels are computed side by side.
// Neighbouring pixels reach nearly the same voxels: a run of pixels whose kernels lie in one window of eight voxels
// along the fastest axis adds in registers, row by row of the kernel. Voxels of the window that a pixel does not reach
// get +0, so that each voxel's sum is the same as if the pixels were added one by one.
#include "kernels.hpp"
#include "lanes.hpp"
#include "pixels.hpp"
#include "rows.hpp"

namespace usfast {
namespace {

constexpr int block = 16;
constexpr int max_width = 33;
constexpr int window = 8;

constexpr int pieces = 2 * window / lanes;
using Pairs = long long __attribute__((vector_size(4 * lanes)));
using OnePair = long long __attribute__((may_alias));

// exp(-t) of `lanes` numbers t >= 0 to 2e-7 relative; 0 from 87 on.
inline void exp_of_minus(float* numbers) {
    auto& t = *reinterpret_cast<Lanes*>(numbers);
    const Lanes bounded = t < 87.0F ? t : 87.0F - Lanes{};
    const Index n = __builtin_convertvector(bounded * 1.44269504F + 0.5F, Index);
    const Lanes whole = __builtin_convertvector(n, Lanes);
    const Lanes r = (whole * 0.693359375F - bounded) + whole * -2.12194440e-4F;  // in [-0.35, 0.35]
    Lanes p = r * 1.98412698e-4F + 1.38888889e-3F;
    p = p * r + 8.33333333e-3F;
    p = p * r + 4.16666667e-2F;
    p = p * r + 1.66666667e-1F;
    p = p * r + 0.5F;
    p = (p * r) * r + r + 1.0F;
    t = t < 87.0F ? p * reinterpret_cast<Lanes>((127 - n) << 23) : Lanes{};
}

struct Kernel {
    int radius;
    float inverse;     // 1 / (2 sigma^2), finite however small sigma is
    float shrink[48];  // exp(-2 k / (2 sigma^2))

    explicit Kernel(const CompoundOptions& o) : radius(o.radius) {
        const double exact = 1 / (2 * o.sigma * o.sigma);
        inverse = exact < 1e30 ? static_cast<float>(exact) : 1e30F;
        for (int k = 0; k < 48; ++k) shrink[k] = 2 * static_cast<float>(k) * inverse;
        for (int k = 0; k < 48; k += lanes) exp_of_minus(shrink + k);
    }
};

struct Block {
    std::int32_t cell[block];           // of the nearest voxel
    std::int32_t window[block];         // where the window begins, in the row of the nearest voxel
    std::int32_t skip[block];           // voxels from there to the first that the kernel reaches
    float weight[3][max_width][block];  // along x, y, z; that along x includes the importance
    float value[block], importance[block];
};

// Along one axis: nearest voxel and weights. Each weight follows from its neighbour by a ratio that never exceeds one.
template <typename T>
inline void weigh_axis(const Row<T>& row, int axis, std::int32_t first, std::int32_t last, const Kernel& kernel,
                       std::int32_t* voxel, float (*weight)[block]) {
    const double step = row.step[axis], base = row.base[axis];
    const int radius = kernel.radius;
    float up[block], down[block];
    for (int j = 0; j < block; ++j) {
        const double p = step * static_cast<double>(first + j < last ? first + j : last) + base;
        voxel[j] = floor_int(p + 0.5);
        const double f = p - static_cast<double>(voxel[j]);
        weight[radius][j] = static_cast<float>(f * f);
        up[j] = static_cast<float>(1 - 2 * f), down[j] = static_cast<float>(1 + 2 * f);
    }
    float* const exponents[3] = {weight[radius], up, down};
    for (float* numbers : exponents) {
        for (int j = 0; j < block; ++j) numbers[j] *= kernel.inverse;
        for (int j = 0; j < block; j += lanes) exp_of_minus(numbers + j);
    }
    for (int k = 1; k <= radius; ++k)
        for (int j = 0; j < block; ++j) {
            weight[radius + k][j] = weight[radius + k - 1][j] * (up[j] * kernel.shrink[k - 1]);
            weight[radius - k][j] = weight[radius - k + 1][j] * (down[j] * kernel.shrink[k - 1]);
        }
}

// How the voxels of a kernel are addressed: the fastest axis, then the other two, x before y before z.
struct Layout {
    int fast, second, third;
    std::int32_t length, first;  // voxels in a row of the slab, and which is the first
    int grain;                   // windows begin at multiples of so many voxels

    Layout(const Slab& slab, int radius)
        : fast(slab.order[0]),
          second(fast == 0 ? 1 : 0),
          third(fast == 2 ? 1 : 2),
          length(static_cast<std::int32_t>(extent(slab, fast))),
          first(static_cast<std::int32_t>(slab.begin[fast] - slab.pad)),
          grain(radius <= 2 ? 4 : 2) {}
};

template <typename T>
inline void weigh(const Row<T>& row, const Target& target, const Layout& layout, const Kernel& kernel, std::int64_t u,
                  int count, Block& b) {
    const auto first = static_cast<std::int32_t>(u);
    for (int j = 0; j < block; ++j) b.cell[j] = static_cast<std::int32_t>(target.origin);
    for (int a = 0; a < 3; ++a) {
        std::int32_t voxel[block];
        weigh_axis(row, a, first, first + count - 1, kernel, voxel, b.weight[a]);
        for (int j = 0; j < block; ++j) b.cell[j] = stepped(b.cell[j], voxel[j], target.stride[a]);
        if (a == layout.fast)
            for (int j = 0; j < block; ++j) {
                const std::int32_t begin = voxel[j] - layout.first - kernel.radius;
                const std::int32_t low = begin & -layout.grain, most = layout.length - window;
                b.skip[j] = begin - (low < most ? low : most);
            }
    }
    for (int j = 0; j < block; ++j) b.window[j] = b.cell[j] - kernel.radius - b.skip[j];
    read_pixels<T, block>(row, u, count, b.value, b.importance);
    for (int k = 0; k <= 2 * kernel.radius; ++k)
        for (int j = 0; j < block; ++j) b.weight[0][k][j] *= b.importance[j];
}

// What a run adds: along the window a row of the kernel, times a factor for each of the rows. A voxel always gets
// (y weight * z weight) * (x weight * value), whichever of the three lies along the window.
template <int radius, bool x_fast>
struct Staged {
    static constexpr int width = 2 * radius + 1;
    alignas(64) float along[block][2 * window];
    float plane[width][width][block];  // x_fast: y weight * z weight
    float pair[width][block][2];       // otherwise: x weight * value, x weight
    const float (*third)[block];

    Staged(const Block& b, const Layout& layout, int count) : third(b.weight[layout.third]) {
        if constexpr (x_fast) {
            for (int k = 0; k < width; ++k)
                for (int i = 0; i < width; ++i)
                    for (int j = 0; j < block; ++j) plane[k][i][j] = b.weight[1][i][j] * b.weight[2][k][j];
        }
        for (int k = 0; k < width; ++k)
            for (int j = 0; j < block; ++j) {
                pair[k][j][0] = x_fast ? b.weight[0][k][j] * b.value[j] : b.weight[0][k][j] * b.value[j];
                pair[k][j][1] = b.weight[0][k][j];
            }
        for (int j = 0; j < count; ++j) {
            for (float& lane : along[j]) lane = 0;
            float* to = along[j] + 2 * b.skip[j];
            for (int k = 0; k < width; ++k, to += 2) {
                to[0] = x_fast ? pair[k][j][0] : b.weight[layout.fast][k][j];
                to[1] = x_fast ? pair[k][j][1] : b.weight[layout.fast][k][j];
            }
        }
    }
};

template <int radius, bool x_fast>
void add_run(const Staged<radius, x_fast>& s, int begin, int end, std::int64_t second, std::int64_t third,
             float* cells) {
    constexpr int width = 2 * radius + 1;
    for (int k = 0; k < width; ++k) {
        Lanes sum[width][pieces];
        for (int i = 0; i < width; ++i)
            for (int h = 0; h < pieces; ++h)
                sum[i][h] = *reinterpret_cast<const Lanes*>(cells + 2 * (k * third + i * second) + h * lanes);
        for (int j = begin; j < end; ++j) {
            Lanes along[pieces];
            for (int h = 0; h < pieces; ++h) {
                along[h] = *reinterpret_cast<const Lanes*>(s.along[j] + h * lanes);
                if constexpr (!x_fast) along[h] *= s.third[k][j];
            }
            for (int i = 0; i < width; ++i) {
                Lanes factor;
                if constexpr (x_fast)
                    factor = s.plane[k][i][j] - Lanes{};
                else
                    factor = reinterpret_cast<Lanes>(*reinterpret_cast<const OnePair*>(s.pair[i][j]) + Pairs{});
                for (int h = 0; h < pieces; ++h) sum[i][h] += along[h] * factor;
            }
        }
        for (int i = 0; i < width; ++i)
            for (int h = 0; h < pieces; ++h)
                *reinterpret_cast<Lanes*>(cells + 2 * (k * third + i * second) + h * lanes) = sum[i][h];
    }
}

template <int radius, bool x_fast>
void add_runs(const Block& b, int count, const Target& target, const Layout& layout, float* cells) {
    const Staged<radius, x_fast> staged(b, layout, count);
    const std::int64_t second = target.stride[layout.second], third = target.stride[layout.third];
    for (int begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && b.window[end] == b.window[begin];) ++end;
        add_run(staged, begin, end, second, third, cells + 2 * (b.window[begin] - radius * (second + third)));
    }
}

// Any radius, any slab: one voxel at a time.
void add_each(const Block& b, int count, const Target& target, int radius, float* cells) {
    for (int j = 0; j < count; ++j)
        for (int k = -radius; k <= radius; ++k)
            for (int i = -radius; i <= radius; ++i) {
                const float plane = b.weight[1][radius + i][j] * b.weight[2][radius + k][j];
                for (int h = -radius; h <= radius; ++h) {
                    float* cell =
                        cells + 2 * (b.cell[j] + h * target.stride[0] + i * target.stride[1] + k * target.stride[2]);
                    const float x = b.weight[0][radius + h][j];
                    cell[0] += plane * (x * b.value[j]);
                    cell[1] += plane * x;
                }
            }
}

using Add = void (*)(const Block&, int count, const Target&, const Layout&, float* cells);

Add fast_way(const Layout& layout, int radius) {
    if (layout.length < window || radius < 1 || radius > 3) return nullptr;
    constexpr Add ways[3][2] = {{add_runs<1, false>, add_runs<1, true>},
                                {add_runs<2, false>, add_runs<2, true>},
                                {add_runs<3, false>, add_runs<3, true>}};
    return ways[radius - 1][layout.fast == 0];
}

template <typename T>
void scatter(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    const Kernel kernel(o);
    const Target target(slab, 0.5, o.radius, o.radius);
    const Layout layout(slab, o.radius);
    const Add add = fast_way(layout, o.radius);
    auto* cells = static_cast<float*>(slab.cells);
    Block b;
    for (std::int64_t n = 0; n < frames.used; ++n)
        each_row<T>(frames, n, target, [&](const Row<T>& row, Interval columns) {
            for (std::int64_t u = columns.begin; u < columns.end; u += block) {
                const int count = static_cast<int>(columns.end - u < block ? columns.end - u : block);
                weigh(row, target, layout, kernel, u, count, b);
                add ? add(b, count, target, layout, cells) : add_each(b, count, target, o.radius, cells);
            }
        });
}

}  // namespace

void USFAST_LEVEL::scatter_gaussian(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    frames.dtype == Dtype::uint8 ? scatter<std::uint8_t>(frames, o, slab) : scatter<float>(frames, o, slab);
}

}  // namespace usfast
