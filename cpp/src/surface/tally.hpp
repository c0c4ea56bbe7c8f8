// Weights added up by distance. Distances between points of a grid take few values, so that a table of them says all
// that maxima, means, percentiles and tolerances need.
#pragma once

#include "usfast/surface.hpp"

namespace usfast {

class Tally {
  public:
    Tally() : squared_(64, kEmpty), weight_(64, 0.0) {}
    void add(double squared, double weight);
    void add(const Tally& other);  // in the order in which `other` met its distances
    DistanceTable table() const;

  private:
    static constexpr double kEmpty = -1.0;
    std::vector<double> squared_, weight_;  // open addressing; the size is a power of two
    std::vector<std::size_t> order_;        // of first appearance, so that sums do not depend on the hash
    void grow();
    std::size_t slot(double squared) const;
};

}  // namespace usfast
