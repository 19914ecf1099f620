/// @file
/// Our own products: random codes of a quantizer, packed, with an epilogue of each kind of requantization.
///
/// Exponents of blocks are drawn from four neighbours, so that scales that change along the inputs really do.
#pragma once

#include "gemm_rows.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

/// Threads that wait for tasks, spinning for a short while: what an engine would bring along.
class thread_pool {
public:
    explicit thread_pool(int threads) {
        for (int t = 1; t < threads; ++t)
            workers_.emplace_back([this, t](const std::stop_token& stop) { work(stop, static_cast<std::size_t>(t)); });
    }
    ~thread_pool() {
        for (std::jthread& worker : workers_)
            worker.request_stop();
    }
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// Task 0 on the calling thread, task t on worker t. Precondition: at most as many tasks as threads.
    template <class Body> void operator()(std::size_t n_tasks, Body&& body) {
        body_ = [&body](std::size_t task) { body(task); };
        left_.store(n_tasks - 1);
        tasks_.store(n_tasks);
        round_.fetch_add(1, std::memory_order_release);
        body_(0);
        while (left_.load(std::memory_order_acquire) != 0) {
        }
    }

private:
    void work(const std::stop_token& stop, std::size_t number) {
        std::size_t seen = 0;
        for (int idle = 0; !stop.stop_requested();) {
            const std::size_t round = round_.load(std::memory_order_acquire);
            if (round == seen) {
                if (++idle > 200'000)
                    std::this_thread::yield();
                continue;
            }
            seen = round;
            idle = 0;
            if (number < tasks_.load()) {
                body_(number);
                left_.fetch_sub(1, std::memory_order_release);
            }
        }
    }

    std::function<void(std::size_t)> body_;
    std::atomic<std::size_t> round_{0};
    std::atomic<std::size_t> tasks_{0};
    std::atomic<std::size_t> left_{0};
    std::vector<std::jthread> workers_;
};

/// Weights of a quantizer with random codes and block exponents.
template <class Q> notch::quantized_tensor<Q, 2> random_weights(std::size_t outputs, std::size_t inputs) {
    notch::quantized_tensor<Q, 2> weights;
    weights.codes = notch::dense_tensor<typename Q::code_type, 2>({outputs, inputs});
    for (std::size_t i = 0; i < weights.codes.size(); ++i)
        weights.codes.data()[i] = static_cast<typename Q::code_type>(
            Q::codes.lowest + static_cast<std::int32_t>((notch::counter_bits(5, i) >> 32) %
                                                        static_cast<std::uint64_t>(Q::codes.steps() + 1)));
    const auto grid = notch::make_grid(Q{}.granularity, weights.codes.shape());
    std::vector<double> scales(grid.count);
    for (std::size_t b = 0; b < scales.size(); ++b)
        scales[b] =
            notch::exp2_exact(-8 + static_cast<int>(notch::counter_bits(6, b) >> 62)) *
            (std::same_as<typename Q::scale_value, std::int32_t> ? 1.0 : 1.0 + 0.5 * notch::counter_uniform(7, b));
    weights.params = notch::params_from_scales<Q>(weights.codes.shape(), scales);
    weights.name = "weights";
    return weights;
}

/// One product of ours, with buffers of its own.
template <class Q> class notch_gemm {
public:
    notch_gemm(std::shared_ptr<const problem> operands, int threads)
        : operands_(std::move(operands)),
          packed_(notch::pack(random_weights<Q>(operands_->shape.n, operands_->shape.k))),
          result_({operands_->shape.m, operands_->shape.n}),
          pool_(threads), options_{static_cast<std::size_t>(threads), {}},
          workspace_(notch::gemm_workspace(packed_, operands_->shape.m, options_.tasks)) {
        options_.workspace = workspace_;
        const notch::strided_view<const std::uint8_t, 2> codes(operands_->source.data(),
                                                               {operands_->shape.m, operands_->shape.k});
        activations_ = {codes, 3, -4, 0};
        for (std::size_t n = 0; n < operands_->shape.n; ++n)
            factors_.push_back(0.001 + 0.001 * notch::counter_uniform(8, n));
    }

    template <class Epilogue> void run(const Epilogue& requantize) {
        notch::gemm(activations_, packed_, notch::stages(notch::add_bias{operands_->bias}, requantize), result_,
                    options_, pool_);
    }
    void shift() { run(notch::shift_requantize{1}); }
    void fixed() { run(notch::fixed_point_requantize<>(factors_)); }
    void real() { run(notch::real_requantize{1.5F}); }
    void real_sums() { // scales inside the sum: no integer bias
        notch::gemm(activations_, packed_, notch::real_requantize{1.5F}, result_, options_, pool_);
    }
    [[nodiscard]] const notch::packed_weights& packed() const { return packed_; }

private:
    std::shared_ptr<const problem> operands_;
    notch::packed_weights packed_;
    notch::dense_tensor<std::uint8_t, 2> result_;
    thread_pool pool_;
    notch::gemm_options options_;
    std::vector<std::byte> workspace_;
    notch::activation_codes<std::uint8_t> activations_{};
    notch::fixed_point_factors factors_;
};

/// Registers a row of ours.
template <class Q>
void add_ours(const shape& s, const char* bits, const char* grain, const char* requant, void (notch_gemm<Q>::*call)(),
              int threads, bool with_peers) {
    row what;
    what.name = "notch";
    what.bits = bits;
    what.grain = grain;
    what.requant = requant;
    what.rounding = "nearest_even";
    what.threads = threads;
    const arithmetic kind = Q::bits_type::width <= 4 ? arithmetic::int4 : arithmetic::int8;
    add_gemm(
        what, s, kind,
        [threads, call](const std::shared_ptr<const problem>& operands) {
            const auto product = std::make_shared<notch_gemm<Q>>(operands, threads);
            const auto& head = product->packed().header();
            return contender{[product, call] { ((*product).*call)(); }, product->packed().bytes().data() + head.codes,
                             head.panels() * head.panel_bytes()};
        },
        with_peers);
}

} // namespace bench
