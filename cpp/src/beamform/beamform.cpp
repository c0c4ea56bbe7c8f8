#include "usfast/beamform.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "kernel.hpp"

namespace usfast {
namespace {

// Blocks that one task takes: some milliseconds' worth, so that the caller is heard in between.
std::int64_t blocks_of_task(const Channels& channels) {
    return std::clamp<std::int64_t>((std::int64_t{1} << 22) / (beam_lanes * channels.elements * channels.transmits), 1,
                                    16);
}

// The ball around the mean of the elements that holds them all.
void enclose(const double* positions, std::int64_t count, double* centre, double& radius) {
    for (int a = 0; a < 3; ++a) {
        centre[a] = 0;
        for (std::int64_t e = 0; e < count; ++e) centre[a] += positions[3 * e + a] / static_cast<double>(count);
    }
    radius = 0;
    for (std::int64_t e = 0; e < count; ++e)
        radius = std::max(radius, std::hypot(positions[3 * e] - centre[0], positions[3 * e + 1] - centre[1],
                                             positions[3 * e + 2] - centre[2]));
    radius += 1e-9;
}

struct Worker {
    std::vector<std::int32_t> delay;
    std::vector<float> weight, sine;
    std::vector<std::uint8_t> used;

    Worker(std::size_t elements, bool complex)
        : delay(elements * beam_lanes),
          weight(elements * beam_lanes),
          sine(complex ? elements * beam_lanes : 0),
          used(elements) {}
};

}  // namespace

int delay_bits(const Channels& channels, const double* positions, const BeamformOptions& options) {
    double centre[3], radius;
    enclose(positions, channels.elements, centre, radius);
    const double reach =
        static_cast<double>(channels.samples) + 2 * (radius + 1) * options.sampling_frequency / options.speed + 8;
    if (!(reach < 262144.0)) return -1;
    int bits = 12;
    while (bits < 20 && reach * static_cast<double>(2 << bits) < 1073741823.0) ++bits;
    return bits;
}

bool delay_and_sum(const Channels& channels, const double* positions, const double* normals, const Transmit* transmits,
                   const double* points, std::int64_t count, const float* weights, const BeamformOptions& options,
                   float* out, std::int64_t* behind, const Progress& progress) {
    BeamformJob job{channels, positions, normals, transmits, points, count, weights, options, out, {}, 0, 0};
    enclose(positions, channels.elements, job.centre, job.radius);
    job.bits = delay_bits(channels, positions, options);
    const std::int64_t blocks = (count + beam_lanes - 1) / beam_lanes;
    const std::int64_t blocks_per_task = blocks_of_task(channels),
                       tasks = (blocks + blocks_per_task - 1) / blocks_per_task;
    std::vector<Worker> workers(static_cast<std::size_t>(std::min<std::int64_t>(options.threads, tasks)),
                                Worker(static_cast<std::size_t>(channels.elements), channels.complex));
    std::atomic<std::int64_t> found{0};
    const auto block = beamform_table().block;
    const bool finished = parallel_for(
        tasks, options.threads,
        [&](std::int64_t task, int worker) {
            Worker& w = workers[static_cast<std::size_t>(worker)];
            const BeamScratch scratch{w.delay.data(), w.weight.data(), w.sine.data(), w.used.data()};
            const std::int64_t end = std::min(blocks, (task + 1) * blocks_per_task);
            for (std::int64_t b = task * blocks_per_task; b < end; ++b) {
                const std::int64_t first = b * beam_lanes;
                const auto size = static_cast<int>(std::min<std::int64_t>(beam_lanes, count - first));
                found += block(job, first, size, scratch);
            }
        },
        progress);
    *behind = found;
    return finished;
}

}  // namespace usfast
