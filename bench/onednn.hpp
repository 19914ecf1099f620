/// @file
/// oneDNN as a peer: its headers, where it is installed, its number of threads, and a primitive with its arguments.
///
/// oneDNN computes with OpenMP, whose runtime it brings along and which read its environment before main. Idle threads of
/// it spin beside us for a while: bench/run.sh makes that short with GOMP_SPINCOUNT.
#pragma once

#if defined(NOTCH_BENCH_ONEDNN)
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Lets the calls that follow on this thread use this many threads; primitives must be created under the same number.
inline void set_onednn_threads(int threads) {
    static auto* const set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (set)
        set(threads);
}

/// A primitive that is ready to run, with its memory.
class onednn_call {
public:
    explicit onednn_call(int threads) : threads_(threads), cpu_(dnnl::engine::kind::cpu, 0), queue_(cpu_) {
        set_onednn_threads(threads);
    }

    [[nodiscard]] const dnnl::engine& cpu() const { return cpu_; }

    /// Memory of others. oneDNN takes pointers to non-const for what it only reads.
    [[nodiscard]] dnnl::memory view(const dnnl::memory::desc& layout, const void* data) const {
        return {layout, cpu_, const_cast<void*>(data)};
    }

    /// A copy of memory in another layout.
    [[nodiscard]] dnnl::memory reordered(dnnl::memory from, const dnnl::memory::desc& layout) {
        dnnl::memory to(layout, cpu_);
        dnnl::reorder(from, to).execute(queue_, from, to);
        queue_.wait();
        return to;
    }

    /// What runs, and what oneDNN calls it.
    void set(dnnl::primitive made, std::string implementation) {
        primitive_ = std::move(made);
        implementation_ = std::move(implementation);
    }

    /// An argument of it.
    void keep(int name, const dnnl::memory& value) {
        memories_.push_back(value);
        arguments_.push_back({name, value.get()});
    }

    /// One execution. The C function takes the list of arguments as it is; the C++ one would allocate a new one.
    void operator()() {
        set_onednn_threads(threads_);
        dnnl_primitive_execute(primitive_.get(), queue_.get(), static_cast<int>(arguments_.size()), arguments_.data());
        queue_.wait();
    }

    /// What oneDNN calls its implementation.
    [[nodiscard]] const std::string& implementation() const { return implementation_; }

private:
    int threads_;
    dnnl::engine cpu_;
    dnnl::stream queue_;
    dnnl::primitive primitive_;
    std::vector<dnnl::memory> memories_;
    std::vector<dnnl_exec_arg_t> arguments_;
    std::string implementation_;
};

} // namespace bench
#endif
