/// @file
/// Our own products: random codes of a quantizer, packed, with an epilogue of each kind of requantization.
#pragma once

#include "../random_weights.hpp"
#include "../thread_pool.hpp"
#include "gemm_rows.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_bias.hpp>
#include <notch/epilogue/fixed_point_requantize.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace bench {

/// One product of ours, with buffers of its own.
template <class Q> class notch_gemm {
public:
    notch_gemm(std::shared_ptr<const problem> operands, int threads)
        : operands_(std::move(operands)),
          packed_(notch::pack(random_weights<Q, 2>({operands_->shape.n, operands_->shape.k}))),
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
