// Work in several phases under one progress, with memory that may run out.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <new>

#include "usfast/parallel.hpp"

namespace usfast::functions {

class Tasks {
  public:
    Tasks(int threads, const Progress& progress, int phases)
        : threads_(threads), progress_(progress), phases_(phases) {}

    int threads() const { return threads_; }

    // The next phase; `phases` of them make the whole, and the last must be finished by finish(). `steps` is how much
    // there is to do, in steps of some 50 ns: starting threads must be worth it.
    bool run(std::int64_t tasks, const std::function<void(std::int64_t, int)>& body, std::int64_t steps = 1 << 30) {
        const auto threads = static_cast<int>(std::clamp<std::int64_t>(steps / 5000, 1, threads_));
        std::atomic<bool> exhausted{false};
        const auto careful = [&](std::int64_t task, int worker) {
            try {
                if (!exhausted) body(task, worker);
            } catch (const std::bad_alloc&) {
                exhausted = true;
            }
        };
        const auto share = [&](std::int64_t done, std::int64_t total) {
            return progress_(phase_ * scale + (total ? done * scale / total : scale), phases_ * scale + 1);
        };
        const bool whole = parallel_for(tasks, threads, careful, progress_ ? Progress(share) : Progress());
        if (exhausted) throw std::bad_alloc();
        skip(1);
        return whole;
    }

    // Phases that turned out not to be needed.
    void skip(int phases) { phase_ = phase_ + phases < phases_ ? phase_ + phases : phases_ - 1; }

    bool finish() const { return !progress_ || progress_(phases_ * scale + 1, phases_ * scale + 1); }

  private:
    static constexpr std::int64_t scale = 1000;
    int threads_;
    const Progress& progress_;
    std::int64_t phase_ = 0, phases_;
};

}  // namespace usfast::functions
