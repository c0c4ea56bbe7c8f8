// A queue of voxels by cost for searches whose cost never falls: a radix heap.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace usfast {

// Ahuja, Mehlhorn, Orlin, Tarjan, J. ACM 37 (1990). Bucket b > 0 holds costs that differ from the last one popped in
// bit b - 1 and in none above; each entry moves down at most 32 times.
class CostQueue {
  public:
    struct Entry {
        std::uint32_t cost;
        std::uint32_t place;
    };

    void clear() {
        for (auto& bucket : buckets_) bucket.clear();
        last_ = 0;
    }

    // `cost` must not be below the last one popped.
    void push(std::uint32_t cost, std::uint32_t place) { buckets_[bucket_of(cost)].push_back({cost, place}); }

    // Takes the cheapest entry for which current(entry) holds; drops the others it meets. False where none is left.
    template <typename Current>
    bool pop(Entry& entry, const Current& current) {
        for (;;) {
            while (!buckets_[0].empty()) {
                entry = buckets_[0].back();
                buckets_[0].pop_back();
                if (current(entry)) return true;
            }
            std::size_t next = 1;
            while (next < buckets_.size() && buckets_[next].empty()) ++next;
            if (next == buckets_.size()) return false;
            spread(buckets_[next], current);
        }
    }

  private:
    std::size_t bucket_of(std::uint32_t cost) const { return static_cast<std::size_t>(std::bit_width(cost ^ last_)); }

    template <typename Current>
    void spread(std::vector<Entry>& bucket, const Current& current) {
        std::erase_if(bucket, [&](const Entry& entry) { return !current(entry); });
        if (bucket.empty()) return;
        last_ = std::min_element(bucket.begin(), bucket.end(), [](const Entry& a, const Entry& b) {
                    return a.cost < b.cost;
                })->cost;
        for (const Entry& entry : bucket) push(entry.cost, entry.place);
        bucket.clear();
    }

    std::array<std::vector<Entry>, 33> buckets_;
    std::uint32_t last_ = 0;
};

}  // namespace usfast
