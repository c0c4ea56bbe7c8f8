#include <atomic>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "usfast/parallel.hpp"

using usfast::parallel_for;

int main() {
    for (const int threads : {1, 2, 7}) {
        std::vector<std::atomic<int>> seen(100);
        CHECK(parallel_for(100, threads, [&](std::int64_t task, int worker) {
            if (worker >= 0 && worker < threads) ++seen[static_cast<std::size_t>(task)];
        }));
        for (const auto& count : seen) CHECK(count == 1);
    }
    CHECK(parallel_for(0, 4, [](std::int64_t, int) {}));

    std::int64_t last = 0;
    CHECK(parallel_for(
        10, 2, [](std::int64_t, int) {},
        [&](std::int64_t done, std::int64_t total) {
            CHECK(done >= last && total == 10);
            last = done;
            return true;
        }));
    CHECK(last == 10);

    CHECK(!parallel_for(1000, 1, [](std::int64_t, int) {}, [](std::int64_t done, std::int64_t) { return done < 3; }));

    bool thrown = false;
    try {
        parallel_for(
            1000, 3, [](std::int64_t, int) {},
            [](std::int64_t, std::int64_t) -> bool { throw std::runtime_error("stop"); });
    } catch (const std::runtime_error&) {
        thrown = true;
    }
    CHECK(thrown);
}
