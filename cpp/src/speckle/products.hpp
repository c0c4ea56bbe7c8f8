// Sums of products of packed patches, compiled once for each instruction set level. Plain data only: a template of
// the standard library instantiated in these files could replace the baseline's copy at link time.
#pragma once

#include <cstdint>

namespace usfast {

constexpr std::int64_t patch_unit = 64;  // packed patches are padded to a multiple of so many pixels
constexpr int most_left = 3;             // patches that `products` takes on its left side

// Sums over the pixels of a packed patch.
struct Moments {
    double sum, squares;
};

// What the correlation of one pair of frames needs, one entry a patch: r = (count * product - left * right) *
// scale_left
// * scale_right with left = sum(a - offset), right = sum(b) and scale = 1 / sqrt(count * squares - sum^2).
struct PairSums {
    double count;
    const double *left, *right, *scale_left, *scale_right;
};

// A packed patch holds its pixels row after row in the form that the level multiplies fastest: words where the
// machine has 16-bit products (pmaddwd); bytes where it has 8-bit ones (vpdpbusd, signed by unsigned, so that the left
// side enters as value - 128); doubles, their mean taken off, for float32 images. Sums of integers are exact for
// patches of up to 2^15 pixels; those of doubles are taken over four lanes, in the same order at every level.
template <typename Sum>
struct ProductTable {
    std::int64_t pixel_bytes;  // of one packed pixel
    std::int64_t offset;       // 0 or 128

    // Packs patches that start at images[p], row by row of all of them, so that neighbours share what is fetched: rows
    // x columns pixels each, then pixels of value `pad` up to `length`.
    void (*pack)(const void* const* images, std::int64_t patches, std::int64_t row_stride, std::int64_t rows,
                 std::int64_t columns, void* const* out, std::int64_t length, std::uint8_t pad);

    Moments (*moments)(const void* patch, std::int64_t length);

    // out[i * right_count + j] = sum over `length` pixels of (left[i] - offset) * right[j]; left_count <= most_left.
    void (*products)(const void* const* left, int left_count, const void* const* right, int right_count,
                     std::int64_t length, Sum* out);

    // r of `patches` patches of one pair of frames; NaN where a scale is.
    void (*correlations)(const Sum* products, std::int64_t patches, const PairSums& sums, float* out);
};

template <typename Sum>
const ProductTable<Sum>& product_table();  // of the best level that this machine runs
template <>
const ProductTable<std::int32_t>& product_table();
template <>
const ProductTable<double>& product_table();

#define USFAST_PRODUCT_TABLES                             \
    extern const ProductTable<std::int32_t> words, bytes; \
    extern const ProductTable<double> doubles;
namespace isa_baseline {
USFAST_PRODUCT_TABLES
}
#ifdef USFAST_HAVE_X86_64_V3
namespace isa_x86_64_v3 {
USFAST_PRODUCT_TABLES
}
#endif
#ifdef USFAST_HAVE_X86_64_V4_VNNI
namespace isa_x86_64_v4_vnni {
USFAST_PRODUCT_TABLES
}
#endif

}  // namespace usfast
