#include "tally.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace usfast {

std::size_t Tally::slot(double squared) const {
    const std::uint64_t key = std::bit_cast<std::uint64_t>(squared) * 0x9E3779B97F4A7C15u;
    std::size_t at = (key >> 32) & (squared_.size() - 1);
    while (squared_[at] != kEmpty && squared_[at] != squared) at = (at + 1) & (squared_.size() - 1);
    return at;
}

void Tally::add(double squared, double weight) {
    std::size_t at = slot(squared);
    if (squared_[at] == kEmpty) {
        if (2 * (order_.size() + 1) > squared_.size()) grow(), at = slot(squared);
        squared_[at] = squared;
        order_.push_back(at);
    }
    weight_[at] += weight;
}

void Tally::add(const Tally& other) {
    for (const std::size_t at : other.order_) add(other.squared_[at], other.weight_[at]);
}

void Tally::grow() {
    Tally larger;
    larger.squared_.assign(2 * squared_.size(), kEmpty);
    larger.weight_.assign(2 * squared_.size(), 0.0);
    larger.order_.reserve(squared_.size());
    for (const std::size_t at : order_) {
        const std::size_t to = larger.slot(squared_[at]);
        larger.squared_[to] = squared_[at], larger.weight_[to] = weight_[at];
        larger.order_.push_back(to);
    }
    *this = std::move(larger);
}

DistanceTable Tally::table() const {
    std::vector<std::size_t> sorted(order_);
    std::sort(sorted.begin(), sorted.end(), [this](std::size_t i, std::size_t j) { return squared_[i] < squared_[j]; });
    DistanceTable table;
    for (const std::size_t at : sorted) {
        table.distance.push_back(std::sqrt(squared_[at]));
        table.weight.push_back(weight_[at]);
    }
    return table;
}

}  // namespace usfast
