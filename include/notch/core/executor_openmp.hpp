/// @file
/// An executor on OpenMP threads, for translation units compiled with -fopenmp.
#pragma once

#include <cstddef>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace notch {

/// Runs tasks on an OpenMP team, dynamically scheduled. Using it without -fopenmp is a compile error.
struct openmp {
    int threads = 0; ///< size of the team; <= 0: omp_get_max_threads()

    /// Calls body(i) for every i in [0, n_tasks). An exception must not leave the body.
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) const {
#ifdef _OPENMP
        const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
        for (std::size_t task = 0; task < n_tasks; ++task)
            body(task);
#else
        static_assert(sizeof(Body) == 0,
                      "notch::openmp: compile this translation unit with -fopenmp, or use another executor");
        static_cast<void>(n_tasks);
        static_cast<void>(body);
#endif
    }
};

} // namespace notch
