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
/// NaN and infinities raise range_error with the tensor's name and the index of the first one in the order of the codes. The
/// functions that return a tensor then return nothing; the `_to` forms, which write to the caller's
/// memory, may have written a part of it.
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/executor.hpp>
#include <notch/quant/block_map.hpp>
#include <notch/quant/params.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/quant/row_plan.hpp>
#include <notch/simd/elementwise.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace notch {

namespace detail {

/// Results of this many bytes and more are written past the caches: they would not stay there anyway.
inline constexpr std::size_t past_caches_from = std::size_t{4} << 20;

/// How to write `bytes` of results in runs of `run` elements; short runs do not repay the detour.
[[nodiscard]] constexpr simd::write_path path_for(std::size_t bytes, std::size_t run) noexcept {
    return bytes >= past_caches_from && run >= 1024 ? simd::write_path::past_caches : simd::write_path::through_caches;
}

/// Calls body(x, from, to) with contiguous floats for pieces of a row, copying them where they are scattered.
template <std::size_t Rank, class Body>
void for_each_contiguous(const row_access<const float, Rank>& access, std::size_t row, std::size_t begin,
                         std::size_t end, Body&& body) {
    const float* const first = access.row(row);
    if (access.is_unit()) {
        body(first + begin, begin, end);
        return;
    }
    std::array<float, gather_length> gathered;
    for (std::size_t from = begin; from < end; from += gather_length) {
        const std::size_t to = std::min(end, from + gather_length);
        for (std::size_t j = from; j < to; ++j)
            gathered[j - from] = *access.element(first, j);
        body(static_cast<const float*>(gathered.data()), from, to);
    }
}

/// What may stand in the brackets of quantize<..>(x, params).
template <class Tag, class Q>
concept instruction_set_or_quantizer_of_the_parameters = simd::is_instruction_set<Tag> || std::is_same_v<Tag, Q>;

/// Codes of a tensor, by a walk that depends on the rounding rule and the code type alone.
template <class Arch, rounding Rule, class Code, std::size_t Rank>
void quantize_codes(const strided_view<const float, Rank>& x, const block_grid<Rank>& grid, const block_maps& maps,
                    std::string_view name, executor_ref run, Code* dst) {
    const row_plan<Rank> plan = make_row_plan(grid, maps.order, x);
    const row_access<const float, Rank> access(x, plan);
    const simd::write_path path = path_for(x.size(), plan.segment);
    plan.for_each_piece(run, [&] {
        return [&, quantize_row = row_quantizer<Arch, Rule, Code, Rank>(maps, plan, path)](
                   std::size_t row, std::size_t begin, std::size_t end) mutable {
            for_each_contiguous(access, row, begin, end, [&](const float* values, std::size_t from, std::size_t to) {
                if (!quantize_row(values, row, from, to, dst + row * plan.length + from))
                    raise_non_finite(access, plan, row, from, to, name);
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

/// Raises shape_error for a destination that would take several reals at one place.
template <std::size_t Rank> void check_destination(const strided_view<float, Rank>& dst, std::string_view name) {
    for (std::size_t axis = 0; axis < Rank; ++axis)
        if (dst.stride(axis) == 0 && dst.extent(axis) > 1 && dst.size() != 0)
            raise<shape_error>(quoted(name), ": dst has stride 0 along axis ", axis, " of extent ", dst.extent(axis),
                               "; every real needs a place of its own");
}

/// Writes reals of codes [from, to) of a row: in place where dst is contiguous, scattered otherwise.
template <class Arch, class Code, std::size_t Rank>
void dequantize_row(const Code* codes, piece_maps<Rank>& maps, const row_plan<Rank>& plan,
                    const row_access<float, Rank>& access, std::size_t row, std::size_t from, std::size_t to,
                    simd::write_path path) {
    maps.read(row, from, to);
    float* const first = access.row(row);
    std::array<float, gather_length> scattered;
    while (from < to) {
        const block_map& map = maps.current()[from / plan.segment - maps.first_segment()];
        std::size_t stop = std::min(to, (from / plan.segment + 1) * plan.segment);
        if (access.is_unit()) {
            simd::dequantize_run<Arch>(codes, stop - from, map.scale, map.zero_point, first + from, path);
        } else {
            stop = std::min(stop, from + gather_length);
            simd::dequantize_run<Arch>(codes, stop - from, map.scale, map.zero_point, scattered.data());
            for (std::size_t j = from; j < stop; ++j)
                *access.element(first, j) = scattered[j - from];
        }
        codes += stop - from;
        from = stop;
    }
}

/// Reals of a tensor's codes, by a walk that depends on the code type alone.
template <class Arch, class Code, std::size_t Rank>
void dequantize_codes(const Code* codes, const block_grid<Rank>& grid, const block_maps& maps, executor_ref run,
                      const strided_view<float, Rank>& dst) {
    const row_plan<Rank> plan = make_row_plan(grid, maps.order, dst);
    const row_access<float, Rank> access(dst, plan);
    const simd::write_path path = path_for(dst.size() * sizeof(float), plan.segment);
    plan.for_each_piece(run, [&] {
        return
            [&, row_map = piece_maps<Rank>(maps, plan)](std::size_t row, std::size_t begin, std::size_t end) mutable {
                dequantize_row<Arch>(codes + row * plan.length + begin, row_map, plan, access, row, begin, end, path);
            };
    });
}

/// Quantizes and dequantizes a tensor in pieces that stay in the first cache.
template <class Arch, rounding Rule, class Code, std::size_t Rank>
void fake_quantize_codes(const strided_view<const float, Rank>& x, const block_grid<Rank>& grid, const block_maps& maps,
                         std::string_view name, executor_ref run, const strided_view<float, Rank>& dst) {
    const row_plan<Rank> plan = make_row_plan(grid, maps.order, x, dst);
    const row_access<const float, Rank> source(x, plan);
    const row_access<float, Rank> target(dst, plan);
    constexpr auto path = simd::write_path::through_caches;
    plan.for_each_piece(run, [&] {
        return [&, quantize_row = row_quantizer<Arch, Rule, Code, Rank>(maps, plan, path),
                row_map = piece_maps<Rank>(maps, plan)](std::size_t row, std::size_t begin, std::size_t end) mutable {
            std::array<Code, gather_length> codes;
            for (std::size_t from = begin; from < end; from += gather_length) {
                const std::size_t to = std::min(end, from + gather_length);
                for_each_contiguous(source, row, from, to, [&](const float* values, std::size_t j, std::size_t stop) {
                    if (!quantize_row(values, row, j, stop, codes.data()))
                        raise_non_finite(source, plan, row, j, stop, name);
                    dequantize_row<Arch>(codes.data(), row_map, plan, target, row, j, stop, path);
                });
            }
        };
    });
}

} // namespace detail

/// Codes of a tensor under known parameters, written to contiguous memory of the same extents.
/// Raises shape_error where parameters, x and dst do not fit, range_error for NaN and infinities
/// (dst may then be partly written). Allocates nothing but, for scales that vary from element to
/// element, one row of steps. Cost: one read of x, one write of dst.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X,
          writable_as<typename Q::code_type> Dst, executor Executor = serial>
    requires(view_of<const X>::rank == view_of<std::remove_reference_t<Dst>>::rank)
void quantize_to(const X& x, const quant_params<Q>& params, Dst&& dst, std::string_view name = {},
                 Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    const auto codes = as_view(dst);
    detail::check_same_shape(view.shape(), codes.shape(), "dst", name);
    if (!codes.is_contiguous())
        detail::raise<shape_error>(detail::quoted(name), ": codes are written row-major without gaps; dst has strides ",
                                   codes.steps(), " for extents ", codes.shape());
    detail::quantize_codes<Arch, typename Q::rounding_rule>(view, detail::checked_grid(params, view.shape(), name),
                                                            detail::maps_of(params), name, detail::executor_ref(run),
                                                            codes.data());
}

/// Codes of a tensor under known parameters. Raises as quantize_to does, and returns nothing then.
/// The first template argument may be an instruction set, or the quantizer of the parameters: quantize<Q>(x, params).
template <class Tag = simd::default_arch, quantizer_type Q, viewable_as<float> X, executor Executor = serial>
    requires detail::instruction_set_or_quantizer_of_the_parameters<Tag, Q>
[[nodiscard]] quantized_tensor<Q, view_of<const X>::rank> quantize(const X& x, const quant_params<Q>& params,
                                                                   std::string_view name = {}, Executor&& run = {}) {
    using arch = std::conditional_t<std::same_as<Tag, Q>, simd::default_arch, Tag>;
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    quantized_tensor<Q, view_of<const X>::rank> result{
        dense_tensor<typename Q::code_type, view_of<const X>::rank>(view.shape()), params, std::string(name)};
    detail::quantize_codes<arch, typename Q::rounding_rule>(view, detail::checked_grid(params, view.shape(), name),
                                                            detail::maps_of(params), name, detail::executor_ref(run),
                                                            result.codes.data());
    return result;
}

/// Reals of a quantized tensor, in the channel order of the float tensor it came from, written to a view of any strides
/// whose elements do not overlap. Raises shape_error where the extents differ, and for a stride of 0 in dst.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Q, std::size_t Rank, writable_as<float> Dst,
          executor Executor = serial>
    requires(view_of<std::remove_reference_t<Dst>>::rank == Rank)
void dequantize_to(const quantized_tensor<Q, Rank>& tensor, Dst&& dst, Executor&& run = {}) {
    const strided_view<float, Rank> view = as_view(dst);
    detail::check_same_shape(tensor.shape(), view.shape(), "dst", tensor.name);
    detail::check_destination(view, tensor.name);
    detail::dequantize_codes<Arch>(tensor.codes.data(), tensor.grid(), detail::maps_of(tensor.params),
                                   detail::executor_ref(run), view);
}

/// Reals of a quantized tensor, in the channel order of the float tensor it came from.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Q, std::size_t Rank,
          executor Executor = serial>
[[nodiscard]] dense_tensor<float, Rank> dequantize(const quantized_tensor<Q, Rank>& tensor, Executor&& run = {}) {
    dense_tensor<float, Rank> result(tensor.shape());
    dequantize_to<Arch>(tensor, result, run);
    return result;
}

/// dequantize(quantize(x)), written to a view of any strides whose elements do not overlap, which may be x itself.
/// Raises as quantize_to does, and shape_error for a stride of 0 in dst.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X,
          writable_as<float> Dst, executor Executor = serial>
    requires(view_of<const X>::rank == view_of<std::remove_reference_t<Dst>>::rank)
void fake_quantize_to(const X& x, const quant_params<Q>& params, Dst&& dst, std::string_view name = {},
                      Executor&& run = {}) {
    constexpr std::size_t rank = view_of<const X>::rank;
    const strided_view<const float, rank> source = as_view(x);
    const strided_view<float, rank> target = as_view(dst);
    detail::check_same_shape(source.shape(), target.shape(), "dst", name);
    detail::check_destination(target, name);
    detail::fake_quantize_codes<Arch, typename Q::rounding_rule, typename Q::code_type>(
        source, detail::checked_grid(params, source.shape(), name), detail::maps_of(params), name,
        detail::executor_ref(run), target);
}

/// dequantize(quantize(x)): the real numbers that the codes stand for. Raises as quantize does.
template <simd::instruction_set Arch = simd::default_arch, quantizer_type Q, viewable_as<float> X,
          executor Executor = serial>
[[nodiscard]] dense_tensor<float, view_of<const X>::rank>
fake_quantize(const X& x, const quant_params<Q>& params, std::string_view name = {}, Executor&& run = {}) {
    const strided_view<const float, view_of<const X>::rank> view = as_view(x);
    dense_tensor<float, view_of<const X>::rank> result(view.shape());
    fake_quantize_to<Arch>(view, params, result, name, run);
    return result;
}

} // namespace notch
