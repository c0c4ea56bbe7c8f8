// Blocks of patches against blocks of patches: each load serves several products, and each product has a register of
// its own. The loops over integers are plain, so that the compiler takes the widest dot product of the level.
#include "products.hpp"

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

struct Words {
    using Image = std::uint8_t;
    using Pixel = std::int16_t;
    using Step = std::int16_t;  // what one turn of the loop over pixels takes
    using Sum = std::int32_t;
    static constexpr std::int64_t width = 1;
    static Sum add(Sum sum, Step a, Step b) { return sum + static_cast<std::int32_t>(a) * b; }
    static Sum total(Sum sum) { return sum; }
};

struct Bytes {
    using Image = std::uint8_t;
    using Pixel = std::uint8_t;
    using Step = std::uint8_t;
    using Sum = std::int32_t;
    static constexpr std::int64_t width = 1;
    static Sum add(Sum sum, Step a, Step b) {
        return sum + static_cast<std::int32_t>(static_cast<std::int8_t>(a ^ 0x80)) * static_cast<std::int32_t>(b);
    }
    static Sum total(Sum sum) { return sum; }
};

struct Doubles {
    using Image = float;
    using Pixel = double;
    using Step = double __attribute__((vector_size(32)));
    using Sum = Step;
    static constexpr std::int64_t width = 4;
    static Sum add(Sum sum, Step a, Step b) { return sum + a * b; }
    static double total(Sum sum) { return (sum[0] + sum[1]) + (sum[2] + sum[3]); }
};

// `A` left patches against `B` right ones; results of one left patch are `stride` apart from those of the next.
template <typename Kind, int A, int B, typename Out>
void block(const void* const* left, const void* const* right, std::int64_t units, Out* out, std::int64_t stride) {
    const typename Kind::Step *a[A], *b[B];
    for (int i = 0; i < A; ++i) a[i] = static_cast<const typename Kind::Step*>(left[i]);
    for (int j = 0; j < B; ++j) b[j] = static_cast<const typename Kind::Step*>(right[j]);
    typename Kind::Sum sum[A][B] = {};
    for (std::int64_t k = 0; k < units * (patch_unit / Kind::width); ++k)
        for (int i = 0; i < A; ++i)
            for (int j = 0; j < B; ++j) sum[i][j] = Kind::add(sum[i][j], a[i][k], b[j][k]);
    for (int i = 0; i < A; ++i)
        for (int j = 0; j < B; ++j) out[i * stride + j] = Kind::total(sum[i][j]);
}

template <typename Kind, int A, int B, typename Out>
void blocks(const void* const* left, const void* const* right, int right_count, std::int64_t length, Out* out) {
    const std::int64_t units = length / patch_unit;
    int j = 0;
    for (; j + B <= right_count; j += B) block<Kind, A, B>(left, right + j, units, out + j, right_count);
    for (; j < right_count; ++j) block<Kind, A, 1>(left, right + j, units, out + j, right_count);
}

template <typename Kind, typename Out>
void products(const void* const* left, int left_count, const void* const* right, int right_count, std::int64_t length,
              Out* out) {
    if (left_count == 3) blocks<Kind, 3, 3>(left, right, right_count, length, out);
    if (left_count == 2) blocks<Kind, 2, 4>(left, right, right_count, length, out);
    if (left_count == 1) blocks<Kind, 1, 6>(left, right, right_count, length, out);
}

template <typename Kind>
void pack_row(const typename Kind::Image* __restrict from, std::int64_t columns, typename Kind::Pixel* __restrict to) {
    std::int64_t c = 0;
    for (; c + 16 <= columns; c += 16)
        for (int k = 0; k < 16; ++k) to[c + k] = from[c + k];
    for (; c < columns; ++c) to[c] = from[c];
}

template <typename Kind>
void pack(const void* const* images, std::int64_t patches, std::int64_t row_stride, std::int64_t rows,
          std::int64_t columns, void* const* out, std::int64_t length, std::uint8_t pad) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t p = 0; p < patches; ++p)
            pack_row<Kind>(static_cast<const typename Kind::Image*>(images[p]) + r * row_stride, columns,
                           static_cast<typename Kind::Pixel*>(out[p]) + r * columns);
    for (std::int64_t p = 0; p < patches; ++p)
        for (std::int64_t k = rows * columns; k < length; ++k) static_cast<typename Kind::Pixel*>(out[p])[k] = pad;
}

template <typename Kind>
Moments moments(const void* patch, std::int64_t length) {
    auto* pixel = static_cast<const typename Kind::Pixel*>(patch);
    std::int32_t sum = 0, squares = 0;
    for (std::int64_t k = 0; k < length / patch_unit * patch_unit; ++k) {
        sum += pixel[k];
        squares += static_cast<std::int32_t>(pixel[k]) * pixel[k];
    }
    return {static_cast<double>(sum), static_cast<double>(squares)};
}

// Off comes the first pixel, so that a constant patch is exactly zero, and then the mean of what is left.
void centre(double* pixel, std::int64_t count, std::int64_t length) {
    const double first = pixel[0];
    for (std::int64_t k = 0; k < count; ++k) pixel[k] -= first;
    Doubles::Step sum = {};
    for (std::int64_t k = 0; k < length; k += Doubles::width) sum += *reinterpret_cast<Doubles::Step*>(pixel + k);
    const double mean = Doubles::total(sum) / static_cast<double>(count);
    for (std::int64_t k = 0; k < count; ++k) pixel[k] -= mean;
}

void pack_centred(const void* const* images, std::int64_t patches, std::int64_t row_stride, std::int64_t rows,
                  std::int64_t columns, void* const* out, std::int64_t length, std::uint8_t pad) {
    pack<Doubles>(images, patches, row_stride, rows, columns, out, length, pad);
    for (std::int64_t p = 0; p < patches; ++p) centre(static_cast<double*>(out[p]), rows * columns, length);
}

Moments moments_centred(const void* patch, std::int64_t length) {
    double squares;
    block<Doubles, 1, 1>(&patch, &patch, length / patch_unit, &squares, 1);
    return {0, squares};
}

template <typename Sum>
void correlations(const Sum* products, std::int64_t patches, const PairSums& s, float* out) {
    for (std::int64_t p = 0; p < patches; ++p) {
        const double covariance = s.count * static_cast<double>(products[p]) - s.left[p] * s.right[p];
        out[p] = static_cast<float>(covariance * s.scale_left[p] * s.scale_right[p]);
    }
}

}  // namespace

namespace USFAST_LEVEL {
USFAST_PRODUCT_TABLES
const ProductTable<std::int32_t> words{2, 0, pack<Words>, moments<Words>, products<Words>, correlations};
const ProductTable<std::int32_t> bytes{1, 128, pack<Bytes>, moments<Bytes>, products<Bytes>, correlations};
const ProductTable<double> doubles{8, 0, pack_centred, moments_centred, products<Doubles>, correlations};
}  // namespace USFAST_LEVEL

}  // namespace usfast
