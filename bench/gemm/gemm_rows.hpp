/// @file
/// Rows of matrix products: what they are compared with, and what the machine could do at best.
///
/// Products of many rows are held against the arithmetic peak of their kind, times the number of threads. A product with
/// one row is bound by reading the weights: it is held against a loop that reads the same bytes, in the same memory, on
/// one thread; with more threads it has no peak. All calls are warm: an untimed one comes before.
#pragma once

#include "../peak_work.hpp"
#include "../rows.hpp"
#include "onednn_matmul.hpp"
#include "problem.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace bench {

/// A product to measure.
struct contender {
    std::function<void()> call;    ///< computes it once
    const void* weights = nullptr; ///< packed weights, which a product with one row has to read
    std::size_t weight_bytes = 0;  ///< how many bytes they are
};

using make_contender = std::function<contender(const std::shared_ptr<const problem>&)>;

/// Compares with reading `bytes` at `data`; a call reads as many.
inline void use_read_peak(work& task, const void* data, std::size_t bytes) {
    task.peak = [data, bytes] { read_all(data, bytes); };
    task.peak_name = "read " + std::to_string(bytes) + " bytes";
    task.units = static_cast<double>(bytes);
    task.peak_units = static_cast<double>(bytes);
}

/// Registers a row for a shape: `what` names it (mnk is filled in), `make` is called when its turn comes. Both peers
/// multiply 8-bit codes and floats, whatever we do; `with_peers` leaves them out.
inline void add_gemm(row what, const shape& s, arithmetic kind, make_contender make, bool with_peers = true) {
    what.mnk = s.name();
    const int threads = what.threads;
    add(std::move(what), [s, kind, threads, with_peers, make = std::move(make)] {
        const std::shared_ptr<const problem> operands = problem_of(s);
        const contender ours = make(operands);
        work task;
        task.ours = [ours, operands] { ours.call(); };
        task.warm = true;
        task.operations = s.operations();
        if (s.m > 1 || ours.weights == nullptr) {
            use_peak(task, kind, threads);
        } else {
            task.bytes = static_cast<double>(ours.weight_bytes);
            if (threads == 1)
                use_read_peak(task, ours.weights, ours.weight_bytes);
        }
        if (with_peers)
            task.peers = onednn_peers(operands, threads);
        return task;
    });
}

} // namespace bench
