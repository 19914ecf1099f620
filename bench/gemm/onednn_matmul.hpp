/// @file
/// The peer of the matrix product: oneDNN's matmul, u8 x s8 -> u8 with a scale and a bias for every output channel, and
/// f32 x f32 -> f32. No peers where oneDNN is not installed.
///
/// As its manual advises: weights in the layout of its choice, reordered once; the primitive made once; the scratchpad
/// ours. Activations and results are row-major. oneDNN 2 computes round(scale * (sum + bias)).
///
/// On processors with AVX2 but no dot product instruction oneDNN multiplies with vpmaddubsw, which adds pairs of products
/// in 16 bits and saturates: its results are then wrong for large codes. `compare` counts them.
#pragma once

#include "../difference.hpp"
#include "../onednn.hpp"
#include "../rows.hpp"
#include "problem.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Compares rows of codes [M, N] with the definition: all of them if few, else the first ones.
inline difference compare(const problem& p, const std::uint8_t* codes) {
    const shape& s = p.shape;
    const auto rows = static_cast<std::size_t>(
        std::clamp(3e8 / (s.operations() / static_cast<double>(s.m)), 1.0, static_cast<double>(s.m)));
    difference result;
    for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t n = 0; n < s.n; ++n) {
            std::int32_t sum = p.bias[n];
            for (std::size_t k = 0; k < s.k; ++k)
                sum += int{p.source[m * s.k + k]} * int{p.weights[n * s.k + k]};
            const float real = std::nearbyint(p.scales[n] * static_cast<float>(sum));
            result.add(static_cast<int>(std::clamp(real, 0.0F, 255.0F)), codes[m * s.n + n]);
        }
    return result;
}

#if defined(NOTCH_BENCH_ONEDNN)

/// A matmul that is ready to run. Refers to the source of the problem, which it keeps alive.
class onednn_matmul {
public:
    /// u8 x s8 -> u8, or f32 x f32 -> f32.
    enum class kind { int8, f32 };

    onednn_matmul(std::shared_ptr<const problem> operands, kind what, int threads)
        : operands_(std::move(operands)), call_(threads) {
        using namespace dnnl;
        using type = memory::data_type;
        using tag = memory::format_tag;
        const bool codes = what == kind::int8;
        const problem& p = *operands_;
        const auto [m, n, k] =
            std::array<memory::dim, 3>{static_cast<memory::dim>(p.shape.m), static_cast<memory::dim>(p.shape.n),
                                       static_cast<memory::dim>(p.shape.k)};
        const memory::desc source({m, k}, codes ? type::u8 : type::f32, tag::ab);
        const memory::desc any_weights({k, n}, codes ? type::s8 : type::f32, tag::any);
        const memory::desc our_weights({k, n}, codes ? type::s8 : type::f32, tag::ba); // [N, K] in memory
        const memory::desc bias({1, n}, codes ? type::s32 : type::f32, tag::ab);
        const memory::desc target({m, n}, codes ? type::u8 : type::f32, tag::ab);
        primitive_attr attributes;
        attributes.set_scratchpad_mode(scratchpad_mode::user);
        if (codes)
            attributes.set_output_scales(1 << 1, p.scales);
        const matmul::primitive_desc made(matmul::desc(source, any_weights, bias, target), attributes, call_.cpu());
        call_.set(matmul(made), made.impl_info_str());

        const auto either = [codes](const auto& of_codes, const auto& of_reals) {
            return codes ? static_cast<const void*>(of_codes.data()) : static_cast<const void*>(of_reals.data());
        };
        const memory plain = call_.view(our_weights, either(p.weights, p.real_weights));
        target_ = memory(target, call_.cpu());
        call_.keep(DNNL_ARG_SRC, call_.view(source, either(p.source, p.real_source)));
        call_.keep(DNNL_ARG_WEIGHTS, call_.reordered(plain, made.weights_desc()));
        call_.keep(DNNL_ARG_BIAS, call_.view(bias, either(p.bias, p.real_bias)));
        call_.keep(DNNL_ARG_DST, target_);
        call_.keep(DNNL_ARG_SCRATCHPAD, memory(made.scratchpad_desc(), call_.cpu()));
    }

    /// One execution.
    void operator()() { call_(); }

    /// The codes of the last execution, [M, N]; for kind::int8.
    [[nodiscard]] const std::uint8_t* codes() const {
        return static_cast<const std::uint8_t*>(target_.get_data_handle());
    }

    /// What oneDNN calls its implementation.
    [[nodiscard]] const std::string& implementation() const { return call_.implementation(); }

private:
    std::shared_ptr<const problem> operands_;
    onednn_call call_;
    dnnl::memory target_;
};

inline peer onednn_peer(const char* name, const std::shared_ptr<const problem>& operands, onednn_matmul::kind what,
                        int threads) {
    const auto work = std::make_shared<onednn_matmul>(operands, what, threads);
    return {name, [work] { (*work)(); }};
}

/// Peers of a product of 8-bit codes: oneDNN on codes and on floats.
inline std::vector<peer> onednn_peers(const std::shared_ptr<const problem>& operands, int threads) {
    return {onednn_peer("oneDNN u8s8u8", operands, onednn_matmul::kind::int8, threads),
            onednn_peer("oneDNN f32", operands, onednn_matmul::kind::f32, threads)};
}
#else
inline std::vector<peer> onednn_peers(const std::shared_ptr<const problem>&, int) { return {}; }
#endif

} // namespace bench
