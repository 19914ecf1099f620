/// @file
/// The canonical form: a quantized tensor as bytes that depend on no instruction set, no layout and no byte order.
///
///     const std::vector<std::byte> bytes = canonical_bytes(tensor);
///     const auto again = from_canonical_bytes<w4, 2>(bytes, "fc1");
///
/// A frame (core/framed_bytes.hpp) with the letters "notchqtz", version 1, the rank R as its kind, and checksum64
/// (core/checksum.hpp). Its payload, integers little-endian:
///
///     4 x 6      bits of a code; 0 signed or 1 unsigned; 0 full or 1 narrow range; scales: 0 power of two, 1 fixed point,
///                2 real; 0 symmetric or 1 affine; bits of a stored code: 2, 4 or 8
///     8          seed
///     8 R, 8 R   extents; extents of a full block
///     8, s n     number n of scales, 1 per block; each int32 exponent, or int32 multiplier and int32 exponent, or float
///     4 n        int32 zero points, where affine
///     8, 4 m     number m of entries of output_order, 0 or the extent; entries; then input_order likewise
///     the rest   codes (quant/stored_codes.hpp): low bits first, as ONNX has them
///
/// Equal tensors have equal bytes. Not stored, since no code and no real number depends on them any more: the name, the
/// rounding rule, how scales were snapped and fitted, and how fixed-point scales will be rounded in requantization.
/// Of a granularity with run-time sizes the block is stored as it was cut to this tensor.
///
/// The reader trusts nothing: a damaged, truncated or foreign file, a tensor of another quantizer, and numbers that no tensor
/// has are a format_error. Cost: a walk for the checksum and one over the codes; 1 to 4 bytes are allocated per byte of
/// codes that is there.
#pragma once

#include <notch/core/framed_bytes.hpp>
#include <notch/quant/quantized_tensor.hpp>
#include <notch/quant/stored_codes.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// The frames of quantized tensors.
inline constexpr frame_format tensor_frame{"notchqtz", 1, "a tensor of rank", checksum64};

/// One number of the policies, and what its values are called.
struct policy_number {
    const char* name;
    const char* values[3];
};
inline constexpr std::array<policy_number, 6> policy_numbers{{{"bits", {}},
                                                              {"signedness", {"signed", "unsigned"}},
                                                              {"code span", {"full range", "narrow range"}},
                                                              {"scale type", {"power of two", "fixed point", "real"}},
                                                              {"zero points", {"symmetric", "affine"}},
                                                              {"bits of a stored code", {}}}};

/// The policies of a quantizer as these numbers.
template <quantizer_type Q> [[nodiscard]] constexpr std::array<std::uint32_t, 6> policies_of() noexcept {
    using value = typename Q::scale_value;
    static_assert(
        std::same_as<value, std::int32_t> || std::same_as<value, q31> || std::same_as<value, float>,
        "canonical_bytes: scales are int32 exponents, q31 or float; a scale type of your own needs one of these");
    using bits_type = typename Q::bits_type;
    return {static_cast<std::uint32_t>(bits_type::width),
            bits_type::is_signed ? 0U : 1U,
            bits_type::is_narrow ? 1U : 0U,
            std::same_as<value, std::int32_t> ? 0U
            : std::same_as<value, q31>        ? 1U
                                              : 2U,
            Q::has_zero_point ? 1U : 0U,
            static_cast<std::uint32_t>(stored_bits(bits_type::width))};
}

/// What a stored scale means to everybody; 0 or infinity where it means nothing.
[[nodiscard]] constexpr double meaning_of(std::int32_t exponent) noexcept { return power_of_two<>::to_real(exponent); }
[[nodiscard]] constexpr double meaning_of(q31 scale) noexcept { return fixed_point<>::to_real(scale); }
[[nodiscard]] constexpr double meaning_of(float scale) noexcept { return static_cast<double>(scale); }

inline void put_scale(framed_writer& to, std::int32_t exponent) { to.put_u32(static_cast<std::uint32_t>(exponent)); }
inline void put_scale(framed_writer& to, q31 scale) {
    put_scale(to, scale.multiplier);
    put_scale(to, scale.exponent);
}
inline void put_scale(framed_writer& to, float scale) { to.put_float(scale); }

inline void get_scale(framed_reader& from, std::int32_t& exponent) {
    exponent = static_cast<std::int32_t>(from.get_u32("the scales"));
}
inline void get_scale(framed_reader& from, q31& scale) {
    get_scale(from, scale.multiplier);
    get_scale(from, scale.exponent);
}
inline void get_scale(framed_reader& from, float& scale) { scale = from.get_float("the scales"); }

/// Granularities that could have cut a tensor into given blocks: sizes that are chosen at run time are read off them.
template <granularity G, std::size_t Rank> [[nodiscard]] std::vector<G> granularities_like(const extents<Rank>& block) {
    std::vector<G> result;
    if constexpr (std::same_as<G, per_channel<run_time_axis>>) {
        for (int axis = 0; axis < static_cast<int>(Rank); ++axis)
            result.push_back({axis});
    } else if constexpr (std::same_as<G, per_group<>> && Rank >= 2) {
        result.push_back({block[1]});
    } else if constexpr (std::same_as<G, sub_layer<>> && Rank >= 2) {
        result.push_back({block[0], block[1]});
    } else {
        static_cast<void>(block);
        result.push_back(G{});
    }
    return result;
}

/// Reads the parts of a payload, in order.
template <quantizer_type Q, std::size_t Rank> class tensor_reader {
public:
    tensor_reader(std::span<const std::byte> bytes, std::string_view name)
        : from_(tensor_frame, bytes, static_cast<std::uint32_t>(Rank), "quantized tensor", name) {}

    /// Everything; `policy`: the quantizer, where it is not read off the blocks.
    [[nodiscard]] quantized_tensor<Q, Rank> read(const Q* policy) {
        quantized_tensor<Q, Rank> tensor;
        check_policies();
        tensor.params.seed = from_.get_u64("the seed");
        const extents<Rank> shape = get_extents("the extents");
        const extents<Rank> block = get_extents("the blocks");
        const std::size_t count = count_of(shape);
        tensor.params.policy.granularity = granularity_of(shape, block, policy);
        const block_grid<Rank> grid = make_grid(tensor.params.policy.granularity, shape);
        tensor.params.blocks.assign(grid.blocks.begin(), grid.blocks.end());
        get_scales(tensor.params, grid.count);
        tensor.params.output_order = get_order("output_order", shape[0]);
        tensor.params.input_order = get_order("input_order", Rank >= 2 ? shape[Rank >= 2 ? 1 : 0] : 0);
        check_params<format_error, format_error>(tensor.params, grid, from_.name());
        tensor.codes = get_codes(shape, count);
        from_.finish();
        tensor.name = std::string(from_.name());
        return tensor;
    }

private:
    void check_policies() {
        const auto expected = policies_of<Q>();
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const policy_number& policy = policy_numbers[i];
            const auto value = [&policy](std::uint32_t number) {
                return number < 3 && policy.values[number] != nullptr ? std::string(policy.values[number])
                                                                      : text(number);
            };
            if (const std::uint32_t number = from_.get_u32("the policies"); number != expected[i])
                from_.fail("a tensor of another quantizer: ", policy.name, " of the bytes: ", value(number),
                           ", of the quantizer: ", value(expected[i]));
        }
    }

    [[nodiscard]] extents<Rank> get_extents(const char* what) {
        extents<Rank> result{};
        for (std::size_t& extent : result) {
            const std::uint64_t number = from_.get_u64(what);
            if (!std::in_range<std::size_t>(number))
                from_.fail(what, " hold ", number);
            extent = static_cast<std::size_t>(number);
        }
        return result;
    }

    /// The number of elements: not more than the bytes can hold.
    [[nodiscard]] std::size_t count_of(const extents<Rank>& shape) const {
        for (const std::size_t extent : shape)
            if (extent == 0)
                return 0;
        const std::size_t most = from_.remaining() * static_cast<std::size_t>(8 / stored);
        std::size_t count = 1;
        for (const std::size_t extent : shape) {
            if (count > most / extent)
                from_.fail("the extents ", shape, " have more elements than ", from_.remaining(), " bytes");
            count *= extent;
        }
        return count;
    }

    [[nodiscard]] auto granularity_of(const extents<Rank>& shape, const extents<Rank>& block, const Q* policy) const {
        using granularity_type = typename Q::granularity_type;
        for (const std::size_t extent : block)
            if (extent == 0)
                from_.fail("the blocks have extents ", block);
        const auto candidates = policy != nullptr ? std::vector<granularity_type>{policy->granularity}
                                                  : granularities_like<granularity_type, Rank>(block);
        for (const granularity_type& candidate : candidates)
            if (make_grid(candidate, shape).block == block)
                return candidate;
        from_.fail("a tensor of another quantizer: granularity of the bytes: blocks of ", block,
                   ", of the quantizer: blocks of ", make_grid(candidates[0], shape).block, " in ", shape);
    }

    void get_scales(quant_params<Q>& params, std::size_t blocks) {
        const std::uint64_t count = from_.get_u64("the scales");
        if (count > from_.remaining() / sizeof(typename Q::scale_value))
            from_.fail(count, " scales in ", from_.remaining(), " bytes");
        if (blocks != 0 && count != blocks)
            from_.fail(count, " scales for ", blocks, " blocks");
        params.scales.resize(static_cast<std::size_t>(count));
        for (std::size_t block = 0; block < params.scales.size(); ++block) {
            get_scale(from_, params.scales[block]);
            const double meaning = meaning_of(params.scales[block]);
            check_scale<format_error>(meaning, block, from_.name());
            if (params.scale(block) != meaning)
                from_.fail("a tensor of another quantizer: scale of block ", block, " of the bytes: ", meaning,
                           ", of the quantizer: ", params.scale(block));
        }
        if constexpr (Q::has_zero_point)
            for (std::size_t block = 0; block < params.scales.size(); ++block)
                params.zero_points.push_back(static_cast<std::int32_t>(from_.get_u32("the zero points")));
    }

    [[nodiscard]] std::vector<std::uint32_t> get_order(const char* which, std::size_t extent) {
        const std::uint64_t count = from_.get_u64(which);
        if (count != 0 && count != extent)
            from_.fail(which, " has ", count, " entries for ", extent, " channels");
        if (count > from_.remaining() / 4)
            from_.fail(which, " has ", count, " entries in ", from_.remaining(), " bytes");
        std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
        for (std::uint32_t& entry : order)
            entry = from_.get_u32(which);
        return order;
    }

    [[nodiscard]] dense_tensor<typename Q::code_type, Rank> get_codes(const extents<Rank>& shape, std::size_t count) {
        const std::span<const std::byte> bytes = from_.get_bytes(stored_bytes(count, stored), "the codes");
        dense_tensor<typename Q::code_type, Rank> codes(shape);
        if (!load_codes<stored>(bytes.data(), count, codes.data()))
            from_.fail("the codes: bits behind the last one are not 0");
        if (const std::size_t i = find_outside(codes.data(), count, Q::codes); i != count)
            from_.fail("the codes: ", int{codes.data()[i]}, " of element ", i, " lies outside [", Q::codes.lowest, ", ",
                       Q::codes.highest, "]");
        return codes;
    }

    static constexpr int stored = stored_bits(Q::bits_type::width);
    framed_reader from_;
};

} // namespace detail

/// A quantized tensor as bytes, see above. Raises shape_error and range_error where parameters or codes are inconsistent,
/// unsupported_error for a scale type of your own that means something else by its numbers than 2^e, a q31 or a float.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] std::vector<std::byte> canonical_bytes(const quantized_tensor<Q, Rank>& tensor) {
    constexpr int stored = detail::stored_bits(Q::bits_type::width);
    const block_grid<Rank> grid = tensor.grid();
    const std::size_t count = tensor.codes.size();
    const quant_params<Q>& params = tensor.params;
    if (const std::size_t i = detail::find_outside(tensor.codes.data(), count, Q::codes); i != count)
        detail::raise<range_error>(detail::quoted(tensor.name), ": code ", int{tensor.codes.data()[i]}, " of element ",
                                   i, " lies outside [", Q::codes.lowest, ", ", Q::codes.highest, "]");
    detail::framed_writer to(detail::tensor_frame, static_cast<std::uint32_t>(Rank));
    to.reserve(64 + 16 * Rank + params.count() * 12 + (params.output_order.size() + params.input_order.size()) * 4 +
               detail::stored_bytes(count, stored));
    for (const std::uint32_t number : detail::policies_of<Q>())
        to.put_u32(number);
    to.put_u64(params.seed);
    for (const std::size_t extent : grid.shape)
        to.put_u64(extent);
    for (const std::size_t extent : grid.block)
        to.put_u64(extent);
    to.put_u64(params.count());
    for (std::size_t block = 0; block < params.count(); ++block) {
        if (params.scale(block) != detail::meaning_of(params.scales[block]))
            detail::raise<unsupported_error>(detail::quoted(tensor.name), ": scale of block ", block, " is ",
                                             params.scale(block), ", but its number stands for ",
                                             detail::meaning_of(params.scales[block]), " in the canonical form");
        detail::put_scale(to, params.scales[block]);
    }
    for (const std::int32_t zero : params.zero_points)
        to.put_u32(static_cast<std::uint32_t>(zero));
    for (const auto* order : {&params.output_order, &params.input_order}) {
        to.put_u64(order->size());
        for (const std::uint32_t channel : *order)
            to.put_u32(channel);
    }
    detail::store_codes<stored>(tensor.codes.data(), count, to.put_zeros(detail::stored_bytes(count, stored)));
    return std::move(to).finish();
}

/// The tensor of such bytes. Run-time sizes of its granularity are read off the blocks. Raises format_error as said above.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] quantized_tensor<Q, Rank> from_canonical_bytes(std::span<const std::byte> bytes,
                                                             std::string_view name = {}) {
    return detail::tensor_reader<Q, Rank>(bytes, name).read(nullptr);
}

/// The same for a quantizer whose granularity is given: one of your own with run-time sizes, say.
template <quantizer_type Q, std::size_t Rank>
[[nodiscard]] quantized_tensor<Q, Rank> from_canonical_bytes(std::span<const std::byte> bytes, std::string_view name,
                                                             const Q& policy) {
    return detail::tensor_reader<Q, Rank>(bytes, name).read(&policy);
}

} // namespace notch
