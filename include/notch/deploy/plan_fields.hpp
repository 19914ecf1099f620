/// @file
/// What a plan file holds of each type, in its order: one list for writing and reading. Part of plan_file.hpp.
///
/// A file is called with the name of a member and the member. Writers take constant objects.
#pragma once

#include <notch/model/network.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace notch::detail {

/// T, or a constant one.
template <class T, class Wanted>
concept maybe_const = std::same_as<std::remove_const_t<T>, Wanted>;

template <class File, maybe_const<float_array> T> void each_field(File& file, T& of) {
    file("shape", of.shape);
    file("values", of.values);
}
template <class File, maybe_const<window> T> void each_field(File& file, T& of) {
    file("stride", of.stride);
    file("dilation", of.dilation);
    file("padding", of.padding);
}
template <class File, maybe_const<convolution> T> void each_field(File& file, T& of) {
    file("weights", of.weights);
    file("bias", of.bias);
    file("window", of.window);
    file("groups", of.groups);
}
template <class File, maybe_const<linear> T> void each_field(File& file, T& of) {
    file("weights", of.weights);
    file("bias", of.bias);
}
template <class File, maybe_const<batch_norm> T> void each_field(File& file, T& of) {
    file("gain", of.gain);
    file("shift", of.shift);
    file("mean", of.mean);
    file("variance", of.variance);
    file("epsilon", of.epsilon);
}
template <class File, maybe_const<affine_map> T> void each_field(File& file, T& of) {
    file("factor", of.factor);
    file("offset", of.offset);
}
template <class File, maybe_const<clip> T> void each_field(File& file, T& of) {
    file("lowest", of.lowest);
    file("highest", of.highest);
}
template <class File, maybe_const<sum> T> void each_field(File&, T&) {}
template <class File, maybe_const<max_pool> T> void each_field(File& file, T& of) {
    file("kernel", of.kernel);
    file("window", of.window);
    file("ceil_mode", of.ceil_mode);
}
template <class File, maybe_const<average_pool> T> void each_field(File& file, T& of) {
    file("kernel", of.kernel);
    file("window", of.window);
    file("ceil_mode", of.ceil_mode);
    file("count_include_pad", of.count_include_pad);
}
template <class File, maybe_const<global_average_pool_layer> T> void each_field(File&, T&) {}
template <class File, maybe_const<reshape> T> void each_field(File& file, T& of) { file("shape", of.shape); }
template <class File, maybe_const<concat> T> void each_field(File& file, T& of) { file("axis", of.axis); }
template <class File, maybe_const<slice> T> void each_field(File& file, T& of) {
    file("begin", of.begin);
    file("end", of.end);
    file("step", of.step);
}
template <class File, maybe_const<pad> T> void each_field(File& file, T& of) {
    file("before", of.before);
    file("after", of.after);
    file("value", of.value);
}
template <class File, maybe_const<softmax> T> void each_field(File&, T&) {}

template <class File, maybe_const<layer> T> void each_field(File& file, T& of) {
    file("name", of.name);
    file("op", of.op);
    file("inputs", of.inputs);
    file("output", of.output);
}
template <class File, maybe_const<tensor_info> T> void each_field(File& file, T& of) {
    file("name", of.name);
    file("shape", of.shape);
}
template <class File, maybe_const<network> T> void each_field(File& file, T& of) {
    file("name", of.name);
    file("tensors", of.tensors);
    file("layers", of.layers);
    file("input", of.input);
    file("output", of.output);
}

template <class File, maybe_const<tensor_codes> T> void each_field(File& file, T& of) {
    file("bits", of.bits);
    file("is_signed", of.is_signed);
    file("scale", of.scale);
    file("exponent", of.exponent);
    file("zero_point", of.zero_point);
}
template <class File, maybe_const<grain> T> void each_field(File& file, T& of) {
    file("kind", of.kind);
    file("outputs", of.outputs);
    file("inputs", of.inputs);
}
template <class File, maybe_const<coarse_weights> T> void each_field(File& file, T& of) {
    file("bits", of.bits);
    file("first", of.first);
    file("extent", of.extent);
    file("codes", of.codes);
    file("exponents", of.exponents);
}
template <class File, maybe_const<planned_weights> T> void each_field(File& file, T& of) {
    file("bits", of.bits);
    file("cut", of.cut);
    file("shape", of.shape);
    file("codes", of.codes);
    file("block_outputs", of.block_outputs);
    file("block_inputs", of.block_inputs);
    file("exponents", of.exponents);
    file("multipliers", of.multipliers);
    file("base", of.base);
    file("least", of.least);
    file("coarse", of.coarse);
    file("bias", of.bias);
    file("floored", of.floored);
}
template <class File, maybe_const<layer_group> T> void each_field(File& file, T& of) {
    file("layer", of.layer);
    file("inputs", of.inputs);
    file("residual", of.residual);
    file("output", of.output);
    file("last", of.last);
    file("lowest", of.lowest);
    file("highest", of.highest);
}
template <class File, maybe_const<planned_group> T> void each_field(File& file, T& of) {
    file("where", of.where);
    file("weights", of.weights);
}
template <class File, maybe_const<plan> T> void each_field(File& file, T& of) {
    file("net", of.net);
    file("scales", of.scales);
    file("input", of.input);
    file("tensors", of.tensors);
    file("groups", of.groups);
    file("real_output", of.real_output);
}

/// How many values an enumeration has, counted from 0.
template <class Enum> inline constexpr std::underlying_type_t<Enum> values_of_enum = 0;
template <> inline constexpr int values_of_enum<scale_form> = static_cast<int>(scale_form::real) + 1;
template <> inline constexpr int values_of_enum<grain_kind> = static_cast<int>(grain_kind::sub_layer) + 1;

/// Numbers that a file holds as they are, in lists one behind the other.
template <class T>
concept plain_number = std::integral<T> || std::floating_point<T>;

/// Bytes of a number in a file: sizes have 8 everywhere.
template <plain_number T> inline constexpr std::size_t bytes_in_file = std::same_as<T, std::size_t> ? 8 : sizeof(T);

/// Whether a list of numbers lies in memory as in a file.
template <class T>
inline constexpr bool lies_as_in_file = std::endian::native == std::endian::little&& bytes_in_file<T> == sizeof(T) &&
                                        !std::same_as<T, bool>;

/// The bits of a number as they stand in a file.
template <plain_number T> [[nodiscard]] constexpr std::uint64_t bits_of_number(T x) noexcept {
    if constexpr (std::same_as<T, float>)
        return std::bit_cast<std::uint32_t>(x);
    else if constexpr (std::same_as<T, double>)
        return std::bit_cast<std::uint64_t>(x);
    else if constexpr (std::same_as<T, bool>)
        return x ? 1 : 0;
    else
        return static_cast<std::make_unsigned_t<T>>(x);
}
/// The number of bits that bits_of_number gave.
template <plain_number T> [[nodiscard]] constexpr T number_of_bits(std::uint64_t bits) noexcept {
    if constexpr (std::same_as<T, float>)
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    else if constexpr (std::same_as<T, double>)
        return std::bit_cast<double>(bits);
    else if constexpr (std::same_as<T, bool>)
        return bits != 0;
    else
        return static_cast<T>(static_cast<std::make_unsigned_t<T>>(bits));
}

} // namespace notch::detail
