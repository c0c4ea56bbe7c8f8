#include "usfast/functions.hpp"

#include <cmath>

#include "families.hpp"

namespace usfast {
namespace {

using namespace functions;

// A margin wide enough that every sample in reach of a voxel is in it.
Frame with_margin(const GridSize& size, const FunctionOptions& options) {
    Frame frame{size, {0, 0, 0}};
    for (int a = 0; a < 3; ++a) frame.margin[a] = static_cast<std::int64_t>(options.reach / options.spacing[a]) + 2;
    frame.nodes.x += 2 * frame.margin[0], frame.nodes.y += 2 * frame.margin[1], frame.nodes.z += 2 * frame.margin[2];
    return frame;
}

Quantity quantity_of(const FunctionOptions& options) {
    if (options.method != FunctionMethod::rayleigh) return {};
    if (options.compression > 0) return {Quantity::Kind::decompressed_power, options.compression};
    return {Quantity::Kind::power, options.floor};
}

}  // namespace

bool fit_functions(const FrameStack& frames, const GridSize& size, const FunctionOptions& options, float* volume,
                   float* weight, const Progress& progress) {
    const Frame frame = with_margin(size, options);
    const int phases = options.method == FunctionMethod::radial_basis ? radial_basis_phases
                       : options.method == FunctionMethod::rayleigh   ? rayleigh_phases(frame, options)
                                                                      : bspline_phases(frame, options);
    Tasks tasks(options.threads, progress, phases + 2);
    Samples samples;
    if (!collect(frames, frame, quantity_of(options), tasks, samples)) return false;
    if (!cover(samples, frame, size, options, tasks, weight)) return false;
    const auto fit = options.method == FunctionMethod::radial_basis ? fit_radial_basis
                     : options.method == FunctionMethod::rayleigh   ? fit_rayleigh
                                                                    : fit_bspline;
    return fit(samples, frame, size, options, tasks, weight, volume) && tasks.finish();
}

}  // namespace usfast
