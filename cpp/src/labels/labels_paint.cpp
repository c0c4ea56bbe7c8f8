// From label frames to voxels: every voxel between two neighbouring frames takes the votes of both.
#include <algorithm>
#include <cmath>

#include "usfast/labels.hpp"

namespace usfast {
namespace {

constexpr std::int64_t kScratch = 4 << 20;  // bytes of votes a thread

// a + b i, the signed distance from a plane (or a column, or a row) along a line of voxels.
struct Line {
    double a, b;
    double at(std::int64_t i) const { return a + b * static_cast<double>(i); }
};

Line line(const ToPlane& to, int r, std::int64_t j, std::int64_t k) {
    const double* m = to.data() + 4 * r;
    return {m[1] * static_cast<double>(j) + m[2] * static_cast<double>(k) + m[3], m[0]};
}

// Narrow [begin, end) to where the line may be >= 0 (sign 1) or <= 0 (sign -1), a voxel more on either side.
void clip(const Line& line, double sign, std::int64_t& begin, std::int64_t& end) {
    const double a = sign * line.a, b = sign * line.b;
    if (std::abs(b) < 1e-12) {
        if (a < -1e-9) end = begin;
        return;
    }
    const double root = std::clamp(-a / b, -1e15, 1e15);
    if (b > 0)
        begin = std::max(begin, static_cast<std::int64_t>(std::floor(root)) - 1);
    else
        end = std::min(end, static_cast<std::int64_t>(std::ceil(root)) + 2);
}

// Votes of a block of rows of one slice: for every voxel the weight of all frames, then for each structure the weight
// of the frames that show it and of those that know of it.
struct Block {
    std::int64_t k, j0, j1, nx, structures;
    std::vector<float>& votes;
    float* at(std::int64_t i, std::int64_t j) const {
        return votes.data() + ((j - j0) * nx + i) * (2 * structures + 1);
    }
};

class Painter {
  public:
    Painter(const LabelFrames& pass, const std::array<std::int64_t, 8>& gap, std::int64_t structures)
        : pass_(pass), first_(gap[0]), second_(gap[1]), structures_(structures) {}

    void row(const Block& block, std::int64_t j, std::int64_t i0, std::int64_t i1) const {
        const ToPlane &one = pass_.to_frame[first_], &two = pass_.to_frame[second_];
        const Line here = line(one, 2, j, block.k), there = line(two, 2, j, block.k);
        const std::array<Line, 4> place{line(one, 0, j, block.k), line(two, 0, j, block.k), line(one, 1, j, block.k),
                                        line(two, 1, j, block.k)};
        // Planes may cross inside the image: between them is where the signs differ, on either side.
        std::array<std::int64_t, 2> begin{i0, i0}, end{i1, i1};
        for (std::size_t side = 0; side < 2; ++side) {
            clip(here, side ? -1 : 1, begin[side], end[side]);
            clip(there, side ? 1 : -1, begin[side], end[side]);
        }
        if (begin[0] < end[0] && begin[1] < end[1] && begin[0] < end[1] && begin[1] < end[0]) {
            begin[0] = std::min(begin[0], begin[1]), end[0] = std::max(end[0], end[1]);
            begin[1] = end[1];
        }
        for (std::size_t side = 0; side < 2; ++side)
            for (std::int64_t i = begin[side]; i < end[side]; ++i) voxel(block, i, j, here.at(i), there.at(i), place);
    }

  private:
    void voxel(const Block& block, std::int64_t i, std::int64_t j, double here, double there,
               const std::array<Line, 4>& place) const {
        if (here * there > 0) return;
        const double s = here == there ? 0.5 : here / (here - there);
        const double u = std::floor((1 - s) * place[0].at(i) + s * place[1].at(i) + 0.5);
        const double v = std::floor((1 - s) * place[2].at(i) + s * place[3].at(i) + 0.5);
        if (!(u >= 0 && v >= 0 && u < static_cast<double>(pass_.width) && v < static_cast<double>(pass_.height)))
            return;
        const std::int64_t pixel = static_cast<std::int64_t>(v) * pass_.width + static_cast<std::int64_t>(u);
        if (pass_.mask && !pass_.mask[pixel]) return;
        float* votes = block.at(i, j);
        votes[0] += 1;
        // Where two passes disagree the one that has the voxel nearer to the middle of its image prevails: equal votes
        // would tie, and ties, being background, would cost every structure volume.
        const double standing =
            std::min(u + 1, static_cast<double>(pass_.width) - u) / static_cast<double>(pass_.width);
        vote(votes, first_, pixel, static_cast<float>(standing * (1 - s)));
        vote(votes, second_, pixel, static_cast<float>(standing * s));
    }

    void vote(float* votes, std::int64_t frame, std::int64_t pixel, float weight) const {
        const std::uint8_t* known = pass_.known + frame * structures_;
        for (std::int64_t c = 0; c < structures_; ++c)
            if (known[c]) votes[1 + structures_ + c] += weight;
        const std::uint8_t label = pass_.label[frame * pass_.height * pass_.width + pixel];
        if (label && known[label - 1]) votes[label] += weight;
    }

    const LabelFrames& pass_;
    std::int64_t first_, second_, structures_;
};

std::uint8_t winner(const float* votes, std::int64_t structures) {
    if (!(votes[0] > 0)) return kOutside;
    std::uint8_t best = 0;
    float most = 0.5F;
    for (std::int64_t c = 0; c < structures; ++c) {
        const float known = votes[1 + structures + c];
        if (known > 0 && votes[1 + c] / known > most)
            most = votes[1 + c] / known, best = static_cast<std::uint8_t>(c + 1);
    }
    return best;
}

}  // namespace

bool paint_labels(const std::vector<LabelFrames>& passes, std::int64_t structures,
                  const std::array<std::int64_t, 3>& shape, int threads, std::uint8_t* codes,
                  const Progress& progress) {
    const auto [nz, ny, nx] = shape;
    const std::int64_t channels = 2 * structures + 1;
    const std::int64_t rows = std::clamp<std::int64_t>(kScratch / (nx * channels * 4), 1, ny);
    const std::int64_t blocks = (ny + rows - 1) / rows;
    std::vector<std::vector<float>> scratch(static_cast<std::size_t>(threads));
    for (auto& votes : scratch) votes.resize(static_cast<std::size_t>(rows * nx * channels));
    return parallel_for(
        nz * blocks, threads,
        [&](std::int64_t task, int worker) {
            std::vector<float>& votes = scratch[static_cast<std::size_t>(worker)];
            const std::int64_t k = task / blocks, j0 = task % blocks * rows, j1 = std::min(j0 + rows, ny);
            std::fill(votes.begin(), votes.end(), 0.0F);
            const Block block{k, j0, j1, nx, structures, votes};
            for (const LabelFrames& pass : passes)
                for (const auto& gap : pass.gaps) {
                    if (k < gap[6] || k >= gap[7]) continue;
                    const Painter painter(pass, gap, structures);
                    for (std::int64_t j = std::max(j0, gap[4]); j < std::min(j1, gap[5]); ++j)
                        painter.row(block, j, gap[2], gap[3]);
                }
            std::uint8_t* out = codes + (k * ny + j0) * nx;
            for (std::int64_t p = 0; p < (j1 - j0) * nx; ++p) out[p] = winner(votes.data() + p * channels, structures);
        },
        progress);
}

}  // namespace usfast
