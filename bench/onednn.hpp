/// @file
/// oneDNN as a peer: its headers, where it is installed, and its number of threads.
///
/// oneDNN computes with OpenMP, whose runtime it brings along and which read its environment before main. Idle threads of
/// it spin beside us for a while: bench/run.sh makes that short with GOMP_SPINCOUNT.
#pragma once

#if defined(NOTCH_BENCH_ONEDNN)
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.hpp>

namespace bench {

/// Lets the calls that follow on this thread use this many threads; primitives must be created under the same number.
inline void set_onednn_threads(int threads) {
    static auto* const set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (set)
        set(threads);
}

} // namespace bench
#endif
