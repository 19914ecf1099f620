/// @file
/// The peer of the convolution: oneDNN's, u8 x s8 -> u8 with a scale and a bias for every output channel, and
/// f32 x f32 -> f32 with a bias, both with ReLU. No peers where oneDNN is not installed.
///
/// As its manual advises: weights in the layout of its choice, reordered once; the primitive made once; the scratchpad
/// ours. Codes are NHWC; floats have the layout of its choice, reordered once. oneDNN 2 computes
/// round(max(scale * (sum + bias), 0)). ReLU is left to the saturation of u8, which is the same.
///
/// On processors with AVX2 but no dot product instruction its sums of 8-bit codes saturate, see gemm/onednn_matmul.hpp.
#pragma once

#include "../difference.hpp"
#include "../onednn.hpp"
#include "../rows.hpp"
#include "problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace bench {

#if defined(NOTCH_BENCH_ONEDNN)

/// A convolution that is ready to run. Refers to the source of the problem, which it keeps alive.
class onednn_conv {
public:
    /// u8 x s8 -> u8, the same with a zero point of the source, or f32 x f32 -> f32.
    enum class kind { int8, int8_zero, f32 };

    onednn_conv(std::shared_ptr<const conv_problem> operands, kind what, int threads)
        : operands_(std::move(operands)), call_(threads),
          zero_point_(what == kind::int8_zero ? operands_->zero_point : 0) {
        using namespace dnnl;
        using type = memory::data_type;
        using tag = memory::format_tag;
        const bool codes = what != kind::f32;
        const conv_problem& p = *operands_;
        const conv_shape& s = p.shape;
        const auto dim = [](std::size_t n) { return static_cast<memory::dim>(n); };
        const notch::extents<4> to = s.result();
        const memory::dims images{1, dim(s.channels), dim(s.h), dim(s.w)};
        const memory::dims results{1, dim(s.outputs), dim(to[1]), dim(to[2])};
        memory::dims filters{dim(s.outputs / s.groups), dim(s.channels / s.groups), dim(s.kernel_h), dim(s.kernel_w)};
        if (s.groups > 1)
            filters.insert(filters.begin(), dim(s.groups));
        const type of_weights = codes ? type::s8 : type::f32;
        const memory::desc our_weights(filters, of_weights, s.groups > 1 ? tag::goihw : tag::oihw);
        const memory::desc our_source(images, codes ? type::u8 : type::f32, tag::nhwc);
        const memory::desc bias({dim(s.outputs)}, codes ? type::s32 : type::f32, tag::a);
        const memory::desc source = codes ? our_source : memory::desc(images, type::f32, tag::any);
        const memory::desc target(results, codes ? type::u8 : type::f32, codes ? tag::nhwc : tag::any);
        const memory::dim skipped = dim(s.dilation) - 1;
        const memory::dim pad = dim(s.padding);
        const convolution_forward::desc wanted(prop_kind::forward_inference, algorithm::convolution_direct, source,
                                               memory::desc(filters, of_weights, tag::any), bias, target,
                                               {dim(s.stride), dim(s.stride)}, {skipped, skipped}, {pad, pad},
                                               {pad, pad});
        primitive_attr attributes;
        attributes.set_scratchpad_mode(scratchpad_mode::user);
        if (codes) {
            attributes.set_output_scales(1 << 1, p.scales);
        } else {
            post_ops relu;
            relu.append_eltwise(1.0F, algorithm::eltwise_relu, 0.0F, 0.0F);
            attributes.set_post_ops(relu);
        }
        if (what == kind::int8_zero)
            attributes.set_zero_points(DNNL_ARG_SRC, 0, {DNNL_RUNTIME_S32_VAL});
        const convolution_forward::primitive_desc made(wanted, attributes, call_.cpu());
        call_.set(convolution_forward(made), made.impl_info_str());

        const auto either = [codes](const auto& of_codes, const auto& of_reals) {
            return codes ? static_cast<const void*>(of_codes.data()) : static_cast<const void*>(of_reals.data());
        };
        const memory plain = call_.view(our_source, either(p.source, p.real_source));
        target_ = memory(made.dst_desc(), call_.cpu());
        call_.keep(DNNL_ARG_SRC, codes ? plain : call_.reordered(plain, made.src_desc()));
        call_.keep(DNNL_ARG_WEIGHTS,
                   call_.reordered(call_.view(our_weights, either(p.weights, p.real_weights)), made.weights_desc()));
        call_.keep(DNNL_ARG_BIAS, call_.view(bias, either(p.bias, p.real_bias)));
        call_.keep(DNNL_ARG_DST, target_);
        call_.keep(DNNL_ARG_SCRATCHPAD, memory(made.scratchpad_desc(), call_.cpu()));
        if (what == kind::int8_zero)
            call_.keep(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC,
                       call_.view(memory::desc({1}, type::s32, tag::a), &zero_point_));
    }
    onednn_conv(const onednn_conv&) = delete;
    onednn_conv& operator=(const onednn_conv&) = delete;

    /// One execution.
    void operator()() { call_(); }

    /// Compares some codes of the last execution with the definition; not for floats.
    [[nodiscard]] difference compare() const {
        const conv_problem& p = *operands_;
        const auto* codes = static_cast<const std::uint8_t*>(target_.get_data_handle());
        difference result;
        for_some_outputs(p.shape, [&](std::size_t i, std::size_t y, std::size_t x, std::size_t o) {
            std::int32_t sum = p.bias[o];
            for_each_tap(p.shape, y, x, o, [&](std::size_t from, std::size_t weight, std::size_t) {
                sum += (int{p.source[from]} - zero_point_) * int{p.weights[weight]};
            });
            const float real = std::nearbyint(p.scales[o] * static_cast<float>(sum));
            result.add(static_cast<int>(std::clamp(real, 0.0F, 255.0F)), codes[i]);
        });
        return result;
    }

    /// What oneDNN calls its implementation.
    [[nodiscard]] const std::string& implementation() const { return call_.implementation(); }

private:
    std::shared_ptr<const conv_problem> operands_;
    onednn_call call_;
    std::int32_t zero_point_;
    dnnl::memory target_;
};

inline peer onednn_peer(const char* name, const std::shared_ptr<const conv_problem>& operands, onednn_conv::kind what,
                        int threads) {
    const auto work = std::make_shared<onednn_conv>(operands, what, threads);
    (*work)();
    const std::string who = std::string(name) + " " + operands->shape.name() + " (" + work->implementation() + ")";
    if (what != onednn_conv::kind::f32)
        work->compare().report(who);
    else
        std::fprintf(stderr, "%s\n", who.c_str());
    return {name, [work] { (*work)(); }};
}

/// Peers of a convolution of 8-bit codes: oneDNN on codes and on floats, which have no zero point.
inline std::vector<peer> onednn_peers(const std::shared_ptr<const conv_problem>& operands, bool zero_point,
                                      int threads) {
    using kind = onednn_conv::kind;
    return {onednn_peer("oneDNN u8s8u8", operands, zero_point ? kind::int8_zero : kind::int8, threads),
            onednn_peer("oneDNN f32", operands, kind::f32, threads)};
}
#else
inline std::vector<peer> onednn_peers(const std::shared_ptr<const conv_problem>&, bool, int) { return {}; }
#endif

} // namespace bench
