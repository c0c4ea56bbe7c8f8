#include "usfast/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace usfast {

// Threads are started for each call: that costs tens of microseconds against work of milliseconds, survives fork()
// and fights no other runtime's pool.
bool parallel_for(std::int64_t tasks, int threads, const std::function<void(std::int64_t, int)>& body,
                  const Progress& progress) {
    std::atomic<std::int64_t> next{0};
    std::atomic<std::int64_t> done{0};
    std::atomic<bool> stop{false};
    auto take_one = [&](int worker) {
        const std::int64_t task = stop.load() ? tasks : next.fetch_add(1);
        if (task >= tasks) return false;
        body(task, worker);
        done.fetch_add(1);
        return true;
    };

    std::vector<std::thread> others;
    const std::int64_t wanted = std::min<std::int64_t>(threads, tasks);
    try {
        for (int worker = 1; worker < wanted; ++worker)
            others.emplace_back([&take_one, worker] {
                while (take_one(worker)) {
                }
            });
    } catch (const std::system_error&) {
        // No more threads to be had: the ones there are do the work.
    }
    auto join = [&others] {
        for (auto& thread : others) thread.join();
    };
    try {
        while (take_one(0))
            if (progress && !progress(done.load(), tasks)) stop = true;
        join();
        if (progress && !stop && !progress(done.load(), tasks)) stop = true;
    } catch (...) {
        stop = true;
        for (auto& thread : others)
            if (thread.joinable()) thread.join();
        throw;
    }
    return done.load() == tasks;
}

}  // namespace usfast
