#include "usfast/tracking.hpp"

#include "kernel.hpp"

namespace usfast {

bool displacement_sums(const double* matrices, std::int64_t count, std::int64_t height, std::int64_t width, int threads,
                       double* sums, const Progress& progress) {
    const auto sum = tracking_table().displacement_sum;
    return parallel_for(
        count, threads, [&](std::int64_t i, int) { sums[i] = sum(matrices + 12 * i, height, width); }, progress);
}

}  // namespace usfast
