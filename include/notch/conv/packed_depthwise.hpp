/// @file
/// Packed depthwise weights: the form in which the depthwise kernel reads them, one block of bytes.
///
/// Sixteen outputs form a panel; a panel holds its taps row by row, a tap the codes of sixteen outputs:
///
///     codes      panel 0: tap (0,0) | tap (0,1) | ... | tap (kh-1,kw-1)     panel 1: ...
///     8 bits     16 bytes: the values of outputs 0 .. 15
///     4 bits      8 bytes: low halves outputs 0 .. 7, high halves 8 .. 15
///     2 bits      4 bytes: from the lowest bits up outputs 0 .. 3, 4 .. 7, 8 .. 11, 12 .. 15
///     value = stored code - bias of the output (8 bits: the stored byte is the value)
///
/// A panel is expanded into the operands of an instruction set once per task and call, so the bytes are the same everywhere.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace notch {

namespace detail {

/// What is known of packed depthwise weights. Sections are offsets into the bytes; tables have 16 numbers per panel.
struct depthwise_header {
    std::size_t outputs = 0;
    std::size_t kernel_h = 0;
    std::size_t kernel_w = 0;
    std::uint32_t bits = 8; ///< of a stored code: 8, 4 or 2
    scale_kind kind = scale_kind::power_of_two;
    std::uint32_t largest_value = 0; ///< the largest magnitude of a value
    std::int64_t bound = 0;          ///< of the sum of products with 8-bit activations
    std::size_t exponents = 0;       ///< int32 per output
    std::size_t multipliers = 0;     ///< int32 per output, fixed point only
    std::size_t scales = 0;          ///< float per output
    std::size_t sums = 0;            ///< int32 per output: of values
    std::size_t biases = 0;          ///< uint8 per output, fewer than 8 bits only
    std::size_t codes = 0;           ///< [panel][tap][16 codes]
    std::size_t bytes = 0;           ///< of everything

    /// Panels of 16 outputs.
    [[nodiscard]] std::size_t panels() const noexcept { return ceil_div(outputs, panel_columns); }
    /// Taps of an output.
    [[nodiscard]] std::size_t taps() const noexcept { return kernel_h * kernel_w; }
    /// Bytes of a tap of a panel.
    [[nodiscard]] std::size_t tap_bytes() const noexcept { return panel_columns * bits / 8; }
};

} // namespace detail

/// Packed depthwise weights [outputs, 1, kernel height, kernel width]. `pack_depthwise` makes them; the kernel reads them,
/// any number of threads at once. Copies are deep.
class packed_depthwise {
public:
    /// Nothing, to be assigned to; what takes weights raises state_error.
    packed_depthwise() = default;
    /// Takes bytes that fit the header, as pack_depthwise makes them.
    packed_depthwise(const detail::depthwise_header& header, detail::aligned_buffer<std::byte> bytes, std::string name)
        : header_(header), bytes_(std::move(bytes)), name_(std::move(name)) {}

    /// Output channels: input channels times the channel multiplier.
    [[nodiscard]] std::size_t outputs() const { return header().outputs; }
    /// Rows of the kernel.
    [[nodiscard]] std::size_t kernel_h() const { return header().kernel_h; }
    /// Columns of the kernel.
    [[nodiscard]] std::size_t kernel_w() const { return header().kernel_w; }
    /// Bits of a stored code: 8, 4 or 2.
    [[nodiscard]] int bits() const { return static_cast<int>(header().bits); }
    /// What the scales are.
    [[nodiscard]] scale_kind kind() const { return header().kind; }
    /// No sum of products with 8-bit activations, less their zero point, has a larger magnitude.
    [[nodiscard]] std::int64_t bound() const { return header().bound; }
    /// Exponent of the scale of each output (times that of the activations); power-of-two scales only.
    [[nodiscard]] std::span<const std::int32_t> exponents() const {
        return {section<std::int32_t>(header().exponents), outputs()};
    }
    /// Multipliers of the scale of each output: scale = multiplier * 2^(exponent - 31); fixed point only.
    [[nodiscard]] std::span<const std::int32_t> multipliers() const {
        return {section<std::int32_t>(header().multipliers), header().multipliers != 0 ? outputs() : 0};
    }
    /// The scale of each output, as floats.
    [[nodiscard]] std::span<const float> scales() const { return {section<float>(header().scales), outputs()}; }
    /// The sum of the values of each output.
    [[nodiscard]] std::span<const std::int32_t> sums() const {
        return {section<std::int32_t>(header().sums), outputs()};
    }
    /// All bytes.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {bytes_.data(), bytes_.size()}; }
    /// For messages; may be empty.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// The header. Raises state_error for weights that were never packed.
    [[nodiscard]] const detail::depthwise_header& header() const {
        if (bytes_.data() == nullptr)
            detail::raise<state_error>("packed depthwise weights are empty; make them by pack_depthwise()");
        return header_;
    }
    /// A section of the bytes.
    template <class T> [[nodiscard]] const T* section(std::size_t offset) const noexcept {
        return reinterpret_cast<const T*>(bytes_.data() + offset);
    }

private:
    detail::depthwise_header header_{};
    detail::aligned_buffer<std::byte> bytes_;
    std::string name_;
};

} // namespace notch
