// Vectors are the compiler's own, 32 bytes wide, or 64 where the registers are.
#include "kernel.hpp"

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

#ifdef __AVX512F__
constexpr int bytes = 64, tall = 5, tile_block = 4;
#else
constexpr int bytes = 32, tall = 3, tile_block = 2;
#endif

template <typename T>
struct VectorOf;
template <>
struct VectorOf<double> {
    using Type = double __attribute__((vector_size(bytes), aligned(8), may_alias));
};
template <>
struct VectorOf<float> {
    using Type = float __attribute__((vector_size(bytes), aligned(4), may_alias));
};
template <typename T>
using Vector = typename VectorOf<T>::Type;
template <typename T>
constexpr int width = bytes / static_cast<int>(sizeof(T));

// Tiles: every number is a vector, one lane a tile.

// Column j of a packed front holds rows j + 1.. of `rows`; column(...)[i] is row i.
template <typename V>
inline V* column(V* packed, std::int64_t rows, std::int64_t j) {
    return packed + j * (rows - 1) - j * (j - 1) / 2 - (j + 1);
}

template <typename T>
void assemble_tile(const TilePlan& plan, const TileFront& f, const Vector<T>* inputs, const Vector<T>* scratch,
                   Vector<T>* factor, Vector<T>* update) {
    using V = Vector<T>;
    const std::int64_t n = f.pivots + f.boundary, rows = n + 2, below = f.boundary + 2;
    for (std::int64_t i = 0, size = column(factor, rows, f.pivots) + f.pivots + 1 - factor; i < size; ++i)
        factor[i] = V{};
    for (std::int64_t i = 0, size = column(update, below, f.boundary) + f.boundary + 1 - update; i < size; ++i)
        update[i] = V{};
    for (int e = 0; e < f.edge_count; ++e)
        column(factor, rows, f.edges[3 * e])[f.edges[3 * e + 1]] = inputs[f.edges[3 * e + 2]];
    for (int j = 0; j < f.pivots; ++j)
        for (int k = 0; k < 2; ++k)
            column(factor, rows, j)[n + k] = inputs[(4 + k) * tile_rows * tile_columns + f.own[j]];
    for (int k = 0; k < 2; ++k) {
        const int from = k == 0 ? f.left : f.right;
        if (from < 0) continue;
        const TileFront& child = plan.fronts[from];
        const std::int16_t* place = f.place[k];
        for (int a = 0; a < child.boundary; ++a) {
            const V* in = column(scratch + child.update, child.boundary + 2, a);
            const int j = place[a];
            V* out = j < f.pivots ? column(factor, rows, j) : column(update, below, j - f.pivots) - f.pivots;
            for (int b = a + 1; b < child.boundary; ++b) out[place[b]] += in[b];
            out[n] += in[child.boundary];
            out[n + 1] += in[child.boundary + 1];
        }
    }
}

// Eliminates the pivots; unscaled: (boundary, pivots), the boundary's rows before their division by the pivot.
template <typename T>
void eliminate_tile(const TileFront& f, Vector<T>* factor, Vector<T>* unscaled) {
    using V = Vector<T>;
    const std::int64_t n = f.pivots + f.boundary, rows = n + 2;
    V pivot[9 + tile_side], g[9 + tile_side];
    for (int k = 0; k < f.pivots; ++k) {
        V* c = column(factor, rows, k);
        for (int m = 0; m < k; ++m) g[m] = column(factor, rows, m)[k] * pivot[m];
        V sum{};
        std::int64_t i = k + 1;
        for (; i + 4 <= rows; i += 4) {
            V a0 = c[i], a1 = c[i + 1], a2 = c[i + 2], a3 = c[i + 3];
            const V* l = column(factor, rows, 0) + i;
            for (int m = 0; m < k; ++m) {
                a0 += l[0] * g[m], a1 += l[1] * g[m], a2 += l[2] * g[m], a3 += l[3] * g[m];
                l += rows - 2 - m;
            }
            c[i] = a0, c[i + 1] = a1, c[i + 2] = a2, c[i + 3] = a3;
            sum += i + 4 < rows ? (a0 + a1) + (a2 + a3) : (a0 + a1) + a2;
        }
        for (; i < rows; ++i) {
            V a = c[i];
            for (int m = 0; m < k; ++m) a += column(factor, rows, m)[i] * g[m];
            c[i] = a;
            if (i <= n) sum += a;
        }
        pivot[k] = sum;
        const V inverse = 1 / sum;
        for (std::int64_t j = k + 1; j < rows; ++j) {
            if (j >= f.pivots && j < n) unscaled[(j - f.pivots) * f.pivots + k] = c[j];
            c[j] *= inverse;
        }
    }
}

template <typename T>
void update_tile(const TileFront& f, const Vector<T>* factor, const Vector<T>* unscaled, Vector<T>* update) {
    using V = Vector<T>;
    constexpr int across = tile_block;
    const int p = f.pivots, below = f.boundary + 2;
    const std::int64_t rows = p + below;
    for (int j = 0; j < f.boundary; j += across) {
        const int wide = f.boundary - j < across ? f.boundary - j : across;
        const int full = j + wide;  // rows from here on lie below all columns of the block
        for (int a = 0; a < wide; ++a) {
            V* out = column(update, below, j + a);
            const int stop = wide < across ? below : full;
            for (int i = j + a + 1; i < stop; ++i) {
                V sum = out[i];
                for (int m = 0; m < p; ++m) sum += column(factor, rows, m)[p + i] * unscaled[(j + a) * p + m];
                out[i] = sum;
            }
        }
        if (wide < across) break;
        int i = full;
        for (; i + 4 <= below; i += 4) {
            V sum[across][4];
            for (int a = 0; a < across; ++a)
                for (int b = 0; b < 4; ++b) sum[a][b] = column(update, below, j + a)[i + b];
            const V* l = column(factor, rows, 0) + p + i;
            for (int m = 0; m < p; ++m) {
                const V l0 = l[0], l1 = l[1], l2 = l[2], l3 = l[3];
                for (int a = 0; a < across; ++a) {
                    const V g = unscaled[(j + a) * p + m];
                    sum[a][0] += l0 * g, sum[a][1] += l1 * g, sum[a][2] += l2 * g, sum[a][3] += l3 * g;
                }
                l += rows - 2 - m;
            }
            for (int a = 0; a < across; ++a)
                for (int b = 0; b < 4; ++b) column(update, below, j + a)[i + b] = sum[a][b];
        }
        for (; i < below; ++i)
            for (int a = 0; a < across; ++a) {
                V sum = column(update, below, j + a)[i];
                for (int m = 0; m < p; ++m) sum += column(factor, rows, m)[p + i] * unscaled[(j + a) * p + m];
                column(update, below, j + a)[i] = sum;
            }
    }
}

template <typename T>
void tile_forward(const TilePlan& plan, const T* inputs, T* factor, T* update, T* scratch) {
    using V = Vector<T>;
    V unscaled[tile_ring * tile_side];
    for (int k = 0; k < tile_fronts; ++k) {
        const TileFront& f = plan.fronts[k];
        V* columns = reinterpret_cast<V*>(factor) + f.factor;
        V* out = k == tile_fronts - 1 ? reinterpret_cast<V*>(update) : reinterpret_cast<V*>(scratch) + f.update;
        assemble_tile<T>(plan, f, reinterpret_cast<const V*>(inputs), reinterpret_cast<const V*>(scratch), columns,
                         out);
        eliminate_tile<T>(f, columns, unscaled);
        update_tile<T>(f, columns, unscaled, out);
    }
}

template <typename T>
void tile_backward(const TilePlan& plan, const T* factor, T* values) {
    using V = Vector<T>;
    V* x = reinterpret_cast<V*>(values);
    for (int k = tile_fronts - 1; k >= 0; --k) {
        const TileFront& f = plan.fronts[k];
        const int n = f.pivots + f.boundary;
        const V* columns = reinterpret_cast<const V*>(factor) + f.factor;
        V near[tile_ring + tile_side];
        for (int b = 0; b < f.boundary; ++b) near[f.pivots + b] = x[f.nodes[b]];
        for (int j = f.pivots - 1; j >= 0; --j) {
            const V* c = column(columns, n + 2, j);
            V even = c[n + 1], odd{};
            int i = j + 1;
            for (; i + 2 <= n; i += 2) even += c[i] * near[i], odd += c[i + 1] * near[i + 1];
            if (i < n) odd += c[i] * near[i];
            x[f.first + j] = near[j] = even + odd;
        }
    }
}

// Fronts: vectors run down the columns.

// c += a g for `high` vectors of rows and a block of columns; g: (inner, column_block).
template <typename T, int high>
inline void multiply(const T* a, std::int64_t a_stride, int inner, const T* g, T* c, std::int64_t c_stride) {
    using V = Vector<T>;
    V sum[high][column_block];
    for (int j = 0; j < column_block; ++j)
        for (int i = 0; i < high; ++i) sum[i][j] = *reinterpret_cast<const V*>(c + j * c_stride + i * width<T>);
    for (int k = 0; k < inner; ++k) {
        V v[high];
        for (int i = 0; i < high; ++i) v[i] = *reinterpret_cast<const V*>(a + k * a_stride + i * width<T>);
        for (int j = 0; j < column_block; ++j) {
            const V by = g[k * column_block + j] - V{};  // the compiler knows that this is a copy
            for (int i = 0; i < high; ++i) sum[i][j] += v[i] * by;
        }
    }
    for (int j = 0; j < column_block; ++j)
        for (int i = 0; i < high; ++i) *reinterpret_cast<V*>(c + j * c_stride + i * width<T>) = sum[i][j];
}

template <typename T>
void multiply_rows(const T* a, std::int64_t a_stride, int inner, const T* g, T* c, std::int64_t c_stride,
                   std::int64_t rows) {
    std::int64_t i = 0;
    for (; i + tall * width<T> <= rows; i += tall * width<T>)
        multiply<T, tall>(a + i, a_stride, inner, g, c + i, c_stride);
    for (; i + 2 * width<T> <= rows; i += 2 * width<T>) multiply<T, 2>(a + i, a_stride, inner, g, c + i, c_stride);
    for (; i < rows; i += width<T>) multiply<T, 1>(a + i, a_stride, inner, g, c + i, c_stride);
}

// Columns [first, first + count) of a panel, those before it in the panel applied already.
template <typename T>
void eliminate_columns(T* panel, std::int64_t stride, std::int64_t rows, std::int64_t right_hand, int first, int count,
                       T* pivots) {
    using V = Vector<T>;
    const std::int64_t start = first / width<T> * width<T>;
    for (int c = first; c < first + count; ++c) {
        T* column = panel + c * stride;
        T by[column_block] = {};
        for (int u = first; u < c; ++u) by[u - first] = panel[u * stride + c] * pivots[u];
        for (std::int64_t i = start; i < rows; i += width<T>) {
            V v = *reinterpret_cast<V*>(column + i);
            for (int u = first; u < c; ++u) v += *reinterpret_cast<V*>(panel + u * stride + i) * by[u - first];
            *reinterpret_cast<V*>(column + i) = v;
        }
        // Rows up to the pivot's are those of no one, and the right-hand side is not part of the pivot.
        for (std::int64_t i = start; i <= c; ++i) column[i] = 0;
        const T kept = column[right_hand];
        column[right_hand] = 0;
        V sum{}, other{};
        std::int64_t i = start;
        for (; i + 2 * width<T> <= rows; i += 2 * width<T>) {
            sum += *reinterpret_cast<V*>(column + i);
            other += *reinterpret_cast<V*>(column + i + width<T>);
        }
        for (; i < rows; i += width<T>) sum += *reinterpret_cast<V*>(column + i);
        sum += other;
        T pivot = 0;
        for (int lane = 0; lane < width<T>; ++lane) pivot += sum[lane];
        column[right_hand] = kept;
        const T inverse = 1 / pivot;
        for (i = start; i < rows; i += width<T>) *reinterpret_cast<V*>(column + i) *= inverse;
        pivots[c] = pivot;
    }
}

// The rows of a panel at columns still to come, times the pivots: what the trailing columns are updated with.
template <typename T>
void gather_rows(const T* panel, std::int64_t stride, int inner, const T* pivots, std::int64_t row, int count, T* g) {
    for (int k = 0; k < inner; ++k)
        for (int j = 0; j < column_block; ++j)
            g[k * column_block + j] = j < count ? panel[k * stride + row + j] * pivots[k] : 0;
}

template <typename T>
struct Block {
    T* columns;  // row `origin` of the first one
    std::int64_t stride, origin, start;
};

// The block of columns from `column` on of a panel that begins with column and row `origin`; its rows count from
// `first` of the front on.
template <typename T>
inline Block<T> block_of(T* panel, std::int64_t rows, std::int64_t origin, std::int64_t column, std::int64_t first) {
    const std::int64_t stride = front_stride(rows - origin);
    return {panel + (column - origin) * stride, stride, first + origin, first + column / width<T> * width<T>};
}

template <typename T>
inline T* next_panel(T* panel, std::int64_t rows, std::int64_t origin) {
    return panel + panel_width * front_stride(rows - origin);
}

// A slab of rows of the panel stays in the first cache while all blocks of columns go by.
template <typename T>
void update_trailing(const Front<T>& f, const T* panel, std::int64_t origin, int inner, const T* g) {
    constexpr std::int64_t slab = tall * width<T> * (tall == 3 ? 8 : 3);
    const std::int64_t stride = front_stride(f.rows - origin), first = origin + inner;
    for (std::int64_t low = first / width<T> * width<T>; low < f.rows; low += slab) {
        const std::int64_t high = low + slab < f.rows ? low + slab : f.rows;
        const T* by = g;
        auto apply = [&](const Block<T>& b) {
            const std::int64_t from = b.start > low ? b.start : low;
            if (from < high)
                multiply_rows(panel + from - origin, stride, inner, by, b.columns + from - b.origin, b.stride,
                              high - from);
            by += inner * column_block;
        };
        T* at = const_cast<T*>(panel);
        std::int64_t begin = origin;
        for (std::int64_t column = first; column < f.pivots; column += column_block) {
            if (column == begin + panel_width) at = next_panel(at, f.rows, begin), begin = column;
            apply(block_of(at, f.rows, begin, column, 0));
        }
        at = f.update, begin = 0;
        for (std::int64_t column = 0; column < f.boundary; column += column_block) {
            if (column == begin + panel_width) at = next_panel(at, f.rows - f.offset, begin), begin = column;
            apply(block_of(at, f.rows - f.offset, begin, column, f.offset));
        }
    }
}

template <typename T>
void front_forward(const Front<T>& f, T* scratch) {
    T pivots[panel_width];
    T* panel = f.factor;
    for (std::int64_t origin = 0; origin < f.pivots; origin += panel_width) {
        const std::int64_t stride = front_stride(f.rows - origin), rows = f.rows - origin;
        const int wide = static_cast<int>(f.pivots - origin < panel_width ? f.pivots - origin : panel_width);
        for (int c = 0; c < wide; c += column_block) {
            const int count = wide - c < column_block ? wide - c : column_block;
            const std::int64_t start = c / width<T> * width<T>;
            gather_rows(panel, stride, c, pivots, c, count, scratch);
            multiply_rows(panel + start, stride, c, scratch, panel + c * stride + start, stride, rows - start);
            eliminate_columns(panel, stride, rows, f.offset + f.boundary + 1 - origin, c, count, pivots);
        }
        T* g = scratch;
        for (std::int64_t column = origin + wide; column < f.pivots; column += column_block) {
            const std::int64_t left = f.pivots - column;
            gather_rows(panel, stride, wide, pivots, column - origin,
                        static_cast<int>(left < column_block ? left : column_block), g);
            g += wide * column_block;
        }
        for (std::int64_t j = 0; j < f.boundary; j += column_block) {
            const std::int64_t left = f.boundary - j;
            gather_rows(panel, stride, wide, pivots, f.offset + j - origin,
                        static_cast<int>(left < column_block ? left : column_block), g);
            g += wide * column_block;
        }
        update_trailing(f, panel, origin, wide, scratch);
        panel = next_panel(panel, f.rows, origin);
    }
}

template <typename T>
void backward_block(const T* panel, std::int64_t stride, std::int64_t rows, int first, int count, T* x) {
    using V = Vector<T>;
    const T* c = panel + first * stride;
    const int inner = first + count;
    std::int64_t i = front_round(inner, width<T>);
    V sum[column_block] = {};
    for (std::int64_t row = i; row < rows; row += width<T>) {
        const V v = *reinterpret_cast<const V*>(x + row);
        for (int j = 0; j < column_block; ++j) sum[j] += *reinterpret_cast<const V*>(c + j * stride + row) * v;
    }
    for (int j = count - 1; j >= 0; --j) {
        T total = 0;
        for (int lane = 0; lane < width<T>; ++lane) total += sum[j][lane];
        for (std::int64_t row = first + j + 1; row < i; ++row) total += c[j * stride + row] * x[row];
        x[first + j] = total;
    }
}

template <typename T>
void front_backward(const Front<T>& f, T* values) {
    const std::int64_t panels = front_round(f.pivots, panel_width) / panel_width;
    const T* panel = f.factor;
    for (std::int64_t p = 0; p + 1 < panels; ++p) panel += panel_width * front_stride(f.rows - p * panel_width);
    for (std::int64_t p = panels - 1; p >= 0; --p) {
        const std::int64_t origin = p * panel_width, stride = front_stride(f.rows - origin);
        const int wide = static_cast<int>(f.pivots - origin < panel_width ? f.pivots - origin : panel_width);
        for (int c = (wide - 1) / column_block * column_block; c >= 0; c -= column_block) {
            const int count = wide - c < column_block ? wide - c : column_block;
            backward_block(panel, stride, f.rows - origin, c, count, values + origin);
        }
        if (p > 0) panel -= panel_width * front_stride(f.rows - origin + panel_width);
    }
}

// Edges

using Doubles = Vector<double>;
using Bits = long long __attribute__((vector_size(bytes), aligned(8), may_alias));

// exp(x) for x <= 0 to about one unit in the last place; 0 below -700. x = k log 2 + r, a Taylor polynomial of r.
inline Doubles exponential(Doubles x) {
    const Doubles least = Doubles{} - 700.0;
    const Bits tiny = x < least;
    x = tiny ? least : x;
    const Doubles shift = Doubles{} + 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number
    const Doubles shifted = x * 1.4426950408889634 + shift, k = shifted - shift;
    const Doubles r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
    Doubles p = r * (1 / 6227020800.0) + 1 / 479001600.0;
    constexpr double inverse[] = {1 / 39916800.0, 1 / 3628800.0, 1 / 362880.0, 1 / 40320.0, 1 / 5040.0, 1 / 720.0,
                                  1 / 120.0,      1 / 24.0,      1 / 6.0,      0.5,         1.0,        1.0};
    for (const double term : inverse) p = p * r + term;
    const Bits power = (reinterpret_cast<Bits>(shifted) - reinterpret_cast<Bits>(shift)) << 52;
    const Doubles value = reinterpret_cast<Doubles>(reinterpret_cast<Bits>(p) + power);
    return tiny ? Doubles{} : value;
}

inline Doubles distance(Doubles a, Doubles b) { return a > b ? a - b : b - a; }

double largest_difference(const double* a, const double* b, std::int64_t count) {
    Doubles most{};
    double rest = 0;
    std::int64_t i = 0;
    for (; i + width<double> <= count; i += width<double>) {
        const Doubles d = distance(*reinterpret_cast<const Doubles*>(a + i), *reinterpret_cast<const Doubles*>(b + i));
        most = d > most ? d : most;
    }
    for (; i < count; ++i) {
        const double d = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        rest = d > rest ? d : rest;
    }
    for (int lane = 0; lane < width<double>; ++lane) rest = most[lane] > rest ? most[lane] : rest;
    return rest;
}

inline Doubles weight(Doubles a, Doubles b, double first, double penalty, double second, double beta, double floor) {
    return exponential(-(beta * ((distance(a, b) / first + penalty) / second))) + floor;
}

void weights(const double* a, const double* b, std::int64_t count, double first, double penalty, double second,
             double beta, double floor, double* out) {
    std::int64_t i = 0;
    for (; i + width<double> <= count; i += width<double>)
        *reinterpret_cast<Doubles*>(out + i) =
            weight(*reinterpret_cast<const Doubles*>(a + i), *reinterpret_cast<const Doubles*>(b + i), first, penalty,
                   second, beta, floor);
    if (i == count) return;
    Doubles x{}, y{};
    for (std::int64_t k = i; k < count; ++k) x[k - i] = a[k], y[k - i] = b[k];
    const Doubles w = weight(x, y, first, penalty, second, beta, floor);
    for (std::int64_t k = i; k < count; ++k) out[k] = w[k - i];
}

}  // namespace

namespace USFAST_LEVEL {
extern const ConfidenceTable confidence_kernels;
const ConfidenceTable confidence_kernels{
    {width<double>, tile_forward<double>, tile_backward<double>, front_forward<double>, front_backward<double>},
    {width<float>, tile_forward<float>, tile_backward<float>, front_forward<float>, front_backward<float>},
    largest_difference,
    weights};
}  // namespace USFAST_LEVEL

}  // namespace usfast
