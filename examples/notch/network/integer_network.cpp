/// @file
/// The only file that compiles the integer kernels.
#include "integer_network.hpp"

#include <notch/deploy/run.hpp>

namespace tool {

struct integer_network::state {
    notch::runner<> run;
};

integer_network::integer_network(const notch::program& program, std::size_t most, std::size_t tasks)
    : state_(new state{notch::runner<>(program, most, tasks)}) {}

integer_network::~integer_network() = default;

std::size_t integer_network::bytes() const noexcept { return state_->run.bytes(); }

void integer_network::run(std::span<const std::uint8_t> codes, std::size_t count, std::span<float> results,
                          thread_pool& pool) {
    state_->run(codes, count, results, pool);
}

void integer_network::run(std::span<const std::uint8_t> codes, std::size_t count, std::span<float> results,
                          thread_pool& pool, const std::function<void(std::size_t)>& after) {
    state_->run(codes, count, results, after, pool);
}

std::span<const std::uint8_t> integer_network::codes(std::size_t tensor, std::size_t count) const noexcept {
    return state_->run.codes(tensor, count);
}

} // namespace tool
