/// @file
/// The integer run behind a plain interface: its kernels take a minute to compile, so one file has them.
#pragma once

#include "thread_pool.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <notch/deploy/program.hpp>
#include <span>

namespace tool {

/// Runs a program in memory of its own.
class integer_network {
public:
    /// Memory for up to `most` images at a time, in up to `tasks` tasks per layer. The program must outlive it.
    integer_network(const notch::program& program, std::size_t most, std::size_t tasks);
    integer_network(const integer_network&) = delete;
    integer_network& operator=(const integer_network&) = delete;
    ~integer_network();

    /// Bytes of memory for tensors and workspace.
    [[nodiscard]] std::size_t bytes() const noexcept;
    /// Results [count, ...] of codes [count, H, W, C].
    void run(std::span<const std::uint8_t> codes, std::size_t count, std::span<float> results, thread_pool& pool);
    /// The same; after(number of the step) is called behind each step.
    void run(std::span<const std::uint8_t> codes, std::size_t count, std::span<float> results, thread_pool& pool,
             const std::function<void(std::size_t)>& after);
    /// Codes [count, H, W, C] of a tensor, in after(step) of the step that writes it.
    [[nodiscard]] std::span<const std::uint8_t> codes(std::size_t tensor, std::size_t count) const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace tool
