/// @file
/// An executor on oneTBB, where its headers are found; link TBB::tbb.
#pragma once

#include <cstddef>

/// 1 where oneTBB's headers are found.
#if __has_include(<oneapi/tbb/parallel_for.h>)
#define NOTCH_HAS_TBB 1
#include <oneapi/tbb/parallel_for.h>
#else
#define NOTCH_HAS_TBB 0
#endif

namespace notch {

/// Runs tasks on the calling thread's TBB arena. Using it without oneTBB is a compile error.
struct tbb_executor {
    /// Calls body(i) for every i in [0, n_tasks).
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) const {
#if NOTCH_HAS_TBB
        ::oneapi::tbb::parallel_for(std::size_t{0}, n_tasks, [&body](std::size_t task) { body(task); });
#else
        static_assert(sizeof(Body) == 0,
                      "notch::tbb_executor: <oneapi/tbb/parallel_for.h> was not found; install oneTBB");
        static_cast<void>(n_tasks);
        static_cast<void>(body);
#endif
    }
};

} // namespace notch
