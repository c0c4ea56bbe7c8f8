// Work on several threads, visible and cancellable from the calling one.
#pragma once

#include <cstdint>
#include <functional>

namespace usfast {

// Called on the calling thread only, between tasks; returns false to stop the work.
using Progress = std::function<bool(std::int64_t done, std::int64_t total)>;

// Runs body(task, worker) for every task in [0, tasks) on up to `threads` threads, 0 <= worker < threads. Tasks are
// handed out in order, one at a time. The body must not throw. An exception from `progress` stops the work, joins
// the threads and is rethrown. Returns false where the work was stopped before its end.
bool parallel_for(std::int64_t tasks, int threads, const std::function<void(std::int64_t, int)>& body,
                  const Progress& progress = {});

}  // namespace usfast
