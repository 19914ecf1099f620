/// @file
/// Real numbers to codes and back, with parameters that are already known.
///
///     quantize        code = clamp(round(float(x / scale)) + zero_point, lowest, highest)
///     dequantize      real = float(scale * (code - zero_point))
///     fake_quantize   dequantize(quantize(x)) without storing the codes
///
/// The same codes on every instruction set, for any executor, compiler and optimization level;
/// docs/numerics.md is the normative text. quant/fit.hpp finds parameters and has the one-call form
/// `quantize<Q>(x)`. The float tensor may have any strides; codes are contiguous.
///
/// NaN and infinities raise range_error with the tensor's name and the index of the first one. The
/// functions that return a tensor then return nothing; the `_to` forms, which write to the caller's
/// memory, may have written a part of it.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/executor.hpp>
#include <notch/core/random.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/quant/row_plan.hpp>
#include <notch/simd/elementwise.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace notch {

namespace detail {

/// The channel order that parameters carry.
template <quantizer_type Q> [[nodiscard]] channel_order order_of(const quant_params<Q>& params) noexcept {
    return {params.output_order, params.input_order};
}

/// The kernel's numbers for one block.
template <quantizer_type Q>
[[nodiscard]] simd::quantize_step step_of(const quant_params<Q>& params, std::size_t block) noexcept {
    return simd::quantize_step::of(params.scale(block), params.zero_point(block), Q::codes);
}

/// Codes of a run with one step, by the kernel that the rounding rule asks for. `first` is the position of the run.
template <quantizer_type Q, class Arch>
[[nodiscard]] bool quantize_one_step(const float* x, std::size_t count, const simd::quantize_step& step,
                                     std::uint64_t seed, std::size_t first, typename Q::code_type* dst) noexcept {
    using rule = typename Q::rounding_rule;
    if constexpr (random_rounding<rule>)
        return simd::quantize_run_random<Arch, rule>(x, count, step, seed, first, dst);
    else
        return simd::quantize_run<Arch, rule>(x, count, step, dst);
}

/// Segments shorter than this are quantized through a table of steps, one per element of a row.
inline constexpr std::size_t short_segment = 8;

/// Quantizes rows of one tensor; one object per task, since it owns a table of steps.
template <quantizer_type Q, class Arch, std::size_t Rank> class row_quantizer {
    using code = typename Q::code_type;

public:
    row_quantizer(const quant_params<Q>& params, const row_plan<Rank>& plan) : params_(params), plan_(plan) {}

    /// Codes of elements [begin, end) of a row, which lie side by side at `x`. False where one is not finite.
    [[nodiscard]] bool operator()(const float* x, std::size_t row, std::size_t begin, std::size_t end, code* dst) {
        if constexpr (!random_rounding<typename Q::rounding_rule>)
            if (plan_.segment < short_segment && plan_.segments > 1)
                return simd::quantize_run_varying<Arch, typename Q::rounding_rule>(x, end - begin, steps(row) + begin,
                                                                                   dst);
        bool finite = true;
        plan_.for_each_segment(row, begin, end, [&](std::size_t block, std::size_t from, std::size_t to) {
            finite = quantize_one_step<Q, Arch>(x + (from - begin), to - from, step_of(params_, block), params_.seed,
                                                row * plan_.length + from, dst + (from - begin)) &&
                     finite;
        });
        return finite;
    }

private:
    const simd::quantize_step* steps(std::size_t row) {
        const std::size_t outer = plan_.outer_block(row);
        if (steps_.empty() || outer != outer_) {
            outer_ = outer;
            steps_.resize(plan_.length);
            plan_.for_each_segment(row, 0, plan_.length, [&](std::size_t block, std::size_t from, std::size_t to) {
                std::fill(steps_.begin() + static_cast<std::ptrdiff_t>(from),
                          steps_.begin() + static_cast<std::ptrdiff_t>(to), step_of(params_, block));
            });
        }
        return steps_.data();
    }

    const quant_params<Q>& params_;
    const row_plan<Rank>& plan_;
    std::size_t outer_ = 0;
    std::vector<simd::quantize_step> steps_;
};

/// Calls body(x, row, from, to) with contiguous floats for pieces of a row, copying them where they are scattered.
template <std::size_t Rank, class Body>
void for_each_contiguous(const row_access<const float, Rank>& access, std::size_t row, std::size_t begin,
                         std::size_t end, Body&& body) {
    const float* const first = access.row(row);
    if (access.is_unit()) {
        body(first + begin, row, begin, end);
        return;
    }
    std::array<float, gather_length> gathered;
    for (std::size_t from = begin; from < end; from += gather_length) {
        const std::size_t to = std::min(end, from + gather_length);
        for (std::size_t j = from; j < to; ++j)
            gathered[j - from] = *access.element(first, j);
        body(static_cast<const float*>(gathered.data()), row, from, to);
    }
}

template <quantizer_type Q, class Arch, std::size_t Rank, executor Executor>
void quantize_codes(const strided_view<const float, Rank>& x, const quant_params<Q>& params, std::string_view name,
                    Executor&& run, typename Q::code_type* dst) {
    const row_plan<Rank> plan = make_row_plan(checked_grid(params, x.shape(), name), order_of(params), x);
    const row_access<const float, Rank> access(x, plan);
    plan.for_each_piece(run, [&] {
        return [&, quantize_row = row_quantizer<Q, Arch, Rank>(params, plan)](std::size_t row, std::size_t begin,
                                                                              std::size_t end) mutable {
            for_each_contiguous(access, row, begin, end,
                                [&](const float* values, std::size_t r, std::size_t from, std::size_t to) {
                                    if (!quantize_row(values, r, from, to, dst + r * plan.length + from))
                                        raise_non_finite(access, plan, r, from, to, name);
                                });
        };
    });
}

/// Raises shape_error unless two tensors have the same extents.
template <std::size_t Rank>
void check_same_shape(const extents<Rank>& expected, const extents<Rank>& given, const char* which,
                      std::string_view name) {
    if (expected != given)
        raise<shape_error>(quoted(name), ": extents ", expected, ", but ", which, " has ", given);
}

/// Writes reals of codes [from, to) of a row: in place where dst is contiguous, scattered otherwise.
template <quantizer_type Q, class Arch, std::size_t Rank>
void dequantize_row(const typename Q::code_type* codes, const quant_params<Q>& params, const row_plan<Rank>& plan,
                    const row_access<float, Rank>& access, std::size_t row, std::size_t from, std::size_t to) {
    float* const first = access.row(row);
    plan.for_each_segment(row, from, to, [&](std::size_t block, std::size_t begin, std::size_t end) {
        const double scale = params.scale(block);
        const std::int32_t zero = params.zero_point(block);
        if (access.is_unit()) {
            simd::dequantize_run<Arch>(codes + (begin - from), end - begin, scale, zero, first + begin);
            return;
        }
        for (std::size_t j = begin; j < end; ++j)
            simd::dequantize_run<Arch>(codes + (j - from), 1, scale, zero, access.element(first, j));
    });
}

} // namespace detail

/// Codes of a tensor under known parameters, written to contiguous memory of the same extents.
/// Raises shape_error where parameters, x and dst do not fit, range_error for NaN and infinities
/// (dst may then be partly written). Allocates nothing but, for scales that vary from element to
/// element, one row of steps. Cost: one read of x, one write of dst.
template <class Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X,
          writable_as<typename Q::code_type> Dst, executor Executor = serial>
void quantize_to(const X& x, const quant_params<Q>& params, Dst&& dst, std::string_view name = {},
                 Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    const auto codes = as_view(dst);
    detail::check_same_shape(view.shape(), codes.shape(), "dst", name);
    if (!codes.is_contiguous())
        detail::raise<shape_error>(detail::quoted(name), ": codes are written row-major without gaps; dst has strides ",
                                   codes.steps(), " for extents ", codes.shape());
    detail::quantize_codes<Q, Arch>(view, params, name, run, codes.data());
}

/// Codes of a tensor under known parameters. Raises as quantize_to does, and returns nothing then.
template <class Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X, executor Executor = serial>
[[nodiscard]] quantized_tensor<Q, view_of<const X>::rank> quantize(const X& x, const quant_params<Q>& params,
                                                                   std::string_view name = {}, Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    quantized_tensor<Q, view_of<const X>::rank> result{
        dense_tensor<typename Q::code_type, view_of<const X>::rank>(view.shape()), params, std::string(name)};
    detail::quantize_codes<Q, Arch>(view, params, name, run, result.codes.data());
    return result;
}

/// Reals of a quantized tensor, in the channel order of the float tensor it came from, written to a view of any strides.
/// Raises shape_error where the extents differ.
template <class Arch = simd::default_arch, quantizer_type Q, std::size_t Rank, writable_as<float> Dst,
          executor Executor = serial>
void dequantize_to(const quantized_tensor<Q, Rank>& tensor, Dst&& dst, Executor&& run = {}) {
    const strided_view<float, Rank> view = as_view(dst);
    detail::check_same_shape(tensor.shape(), view.shape(), "dst", tensor.name);
    const detail::row_plan<Rank> plan = detail::make_row_plan(tensor.grid(), detail::order_of(tensor.params), view);
    const detail::row_access<float, Rank> access(view, plan);
    plan.for_each_piece(run, [&] {
        return [&](std::size_t row, std::size_t begin, std::size_t end) {
            detail::dequantize_row<Q, Arch>(tensor.codes.data() + row * plan.length + begin, tensor.params, plan,
                                            access, row, begin, end);
        };
    });
}

/// Reals of a quantized tensor, in the channel order of the float tensor it came from.
template <class Arch = simd::default_arch, quantizer_type Q, std::size_t Rank, executor Executor = serial>
[[nodiscard]] dense_tensor<float, Rank> dequantize(const quantized_tensor<Q, Rank>& tensor, Executor&& run = {}) {
    dense_tensor<float, Rank> result(tensor.shape());
    dequantize_to<Arch>(tensor, result, run);
    return result;
}

/// dequantize(quantize(x)), written to a view of any strides, which may be x itself.
/// Raises as quantize_to does.
template <class Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X, writable_as<float> Dst,
          executor Executor = serial>
void fake_quantize_to(const X& x, const quant_params<Q>& params, Dst&& dst, std::string_view name = {},
                      Executor&& run = {}) {
    constexpr std::size_t rank = view_of<const X>::rank;
    const strided_view<const float, rank> source = as_view(x);
    const strided_view<float, rank> target = as_view(dst);
    detail::check_same_shape(source.shape(), target.shape(), "dst", name);
    const auto plan = detail::make_row_plan(detail::checked_grid(params, source.shape(), name),
                                            detail::order_of(params), source, target);
    const detail::row_access<const float, rank> from_access(source, plan);
    const detail::row_access<float, rank> to_access(target, plan);
    plan.for_each_piece(run, [&] {
        return [&, quantize_row = detail::row_quantizer<Q, Arch, rank>(params, plan)](
                   std::size_t row, std::size_t begin, std::size_t end) mutable {
            std::array<typename Q::code_type, detail::gather_length> codes;
            for (std::size_t from = begin; from < end; from += detail::gather_length) {
                const std::size_t to = std::min(end, from + detail::gather_length);
                detail::for_each_contiguous(from_access, row, from, to,
                                            [&](const float* values, std::size_t r, std::size_t j, std::size_t stop) {
                                                if (!quantize_row(values, r, j, stop, codes.data()))
                                                    detail::raise_non_finite(from_access, plan, r, j, stop, name);
                                                detail::dequantize_row<Q, Arch>(codes.data(), params, plan, to_access,
                                                                                r, j, stop);
                                            });
            }
        };
    });
}

/// dequantize(quantize(x)): the real numbers that the codes stand for. Raises as quantize does.
template <class Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X, executor Executor = serial>
[[nodiscard]] dense_tensor<float, view_of<const X>::rank>
fake_quantize(const X& x, const quant_params<Q>& params, std::string_view name = {}, Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    dense_tensor<float, view_of<const X>::rank> result(view.shape());
    fake_quantize_to<Arch>(view, params, result, name, run);
    return result;
}

} // namespace notch
