/// @file
/// Bit widths as types: how many codes there are and which is the lowest.
///
/// | type                                  | codes                        | 8 bits       | 4 bits   |
/// |---------------------------------------|------------------------------|--------------|----------|
/// | bits<N>                               | [-2^(N-1), 2^(N-1) - 1]      | [-128, 127]  | [-8, 7]  |
/// | bits<N, signed_codes, narrow_range>   | [-2^(N-1) + 1, 2^(N-1) - 1]  | [-127, 127]  | [-7, 7]  |
/// | bits<N, unsigned_codes>               | [0, 2^N - 1]                 | [0, 255]     | [0, 15]  |
/// | bits<N, unsigned_codes, narrow_range> | [1, 2^N - 1]                 | [1, 255]     | [1, 15]  |
///
/// The narrow range drops the lowest code. One code takes one byte while it is being worked on;
/// several share a byte only in packed storage.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace notch {

/// Whether codes are two's complement or start at zero.
enum class signedness { signed_codes, unsigned_codes };

/// Whether every code of the width is used, or all but the lowest.
enum class code_span { full_range, narrow_range };

using enum signedness;
using enum code_span;

/// A closed interval of codes as run-time numbers.
struct code_range {
    std::int32_t lowest = 0;  ///< smallest code
    std::int32_t highest = 0; ///< largest code

    /// Number of steps from the lowest to the highest code.
    [[nodiscard]] constexpr std::int32_t steps() const noexcept { return highest - lowest; }
    /// True where both ends are equal.
    friend constexpr bool operator==(const code_range&, const code_range&) = default;
};

namespace detail {
template <int N>
concept a_code_has_2_to_8_bits = N >= 2 && N <= 8;
} // namespace detail

/// A code width of N bits, 2 <= N <= 8, see the table above.
template <int N, signedness Signedness = signed_codes, code_span Span = full_range>
    requires detail::a_code_has_2_to_8_bits<N>
struct bits {
    /// Bits of one code.
    static constexpr int width = N;
    /// Whether the codes are two's complement.
    static constexpr bool is_signed = Signedness == signed_codes;
    /// Whether the lowest code is left out.
    static constexpr bool is_narrow = Span == narrow_range;
    /// Smallest code.
    static constexpr std::int32_t lowest = (is_signed ? -(1 << (N - 1)) : 0) + (is_narrow ? 1 : 0);
    /// Largest code.
    static constexpr std::int32_t highest = is_signed ? (1 << (N - 1)) - 1 : (1 << N) - 1;
    /// Codes that fit one byte of packed storage (a code never straddles two bytes).
    static constexpr int codes_per_byte = 8 / N;
    /// The interval as run-time numbers.
    static constexpr code_range range{lowest, highest};
    /// The type of one unpacked code.
    using code_type = std::conditional_t<is_signed, std::int8_t, std::uint8_t>;
};

/// A code width: bits<N, ...>, or a user's type with the same members.
template <class B>
concept bit_width = requires {
    typename B::code_type;
    { B::width } -> std::convertible_to<int>;
    { B::is_signed } -> std::convertible_to<bool>;
    { B::is_narrow } -> std::convertible_to<bool>;
    { B::lowest } -> std::convertible_to<std::int32_t>;
    { B::highest } -> std::convertible_to<std::int32_t>;
    { B::range } -> std::convertible_to<code_range>;
};

} // namespace notch
