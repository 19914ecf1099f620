/// @file
/// Packed weights: the form in which the kernels read a weight matrix, one block of bytes.
///
/// Sixteen outputs form a panel, four inputs a step; a step of a panel is [16 outputs][4 inputs]. Codes of
/// two or four bits share bytes so that one mask or one shift of a register gives a whole step:
///
///     8 bits    64 bytes are one step, value = int8
///     4 bits    64 bytes are two steps, the first one in the low halves of the bytes
///     2 bits    64 bytes are four steps, from the lowest bits up
///     value = stored code - bias, bias one number or one per block and output
///
/// Where the scale changes along the inputs, the inputs are cut into depth blocks. A block is padded to whole
/// steps, and its codes to whole units of 64 bytes. Two-term weights (W = coarse 2^k + fine) are twice the
/// depth blocks over the same inputs.
///
/// The bytes are the same for every instruction set of a byte order: what is packed here runs everywhere, and may be
/// written to a file and mapped (gemm/packed_file.hpp). Sections stand behind a header at multiples of 64 bytes, in the
/// order in which place_sections names them; the bytes between two sections are 0.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace notch {

/// What the scales of packed weights are.
enum class scale_kind : std::uint32_t { power_of_two = 0, fixed_point = 1, real = 2 };

namespace detail {

/// Columns of a panel.
inline constexpr std::size_t panel_columns = 16;
/// Inputs of a step.
inline constexpr std::size_t step_inputs = 4;
/// Bytes of a step of int8 weights, of a unit of codes, and of a header of a run.
inline constexpr std::size_t step_bytes = panel_columns * step_inputs;

/// The first bytes of packed weights.
struct packed_header {
    char magic[8] = {'n', 'o', 't', 'c', 'h', 'w', 't', 's'}; ///< tells the format
    std::uint32_t version = 1;                                ///< of the format
    std::uint32_t layout = 1;                                 ///< 1: panels of 16 outputs, steps of 4 inputs
    std::uint64_t bytes = 0;                                  ///< of everything, this header included
    std::uint64_t checksum = 0;                               ///< of a file; 0 in memory
    std::uint64_t outputs = 0;                                ///< N
    std::uint64_t inputs = 0;                                 ///< K
    std::uint64_t block = 0;                                  ///< inputs of a depth block; the last may have fewer
    std::uint64_t blocks = 0;                                 ///< depth blocks of one term
    std::uint32_t terms = 1;                                  ///< 1, or 2: coarse and fine
    std::uint32_t bits = 8;                                   ///< of a stored code: 8, 4 or 2
    std::uint32_t kind = 0;                                   ///< a scale_kind
    std::uint32_t bias = 0;                                   ///< of all codes, where there is no section of biases
    std::uint32_t largest_value = 0;                          ///< the largest magnitude of a value
    std::uint32_t largest_shift = 0;                          ///< the largest exponent of a block above its output's
    std::uint32_t largest_shifted = 0;                        ///< the largest magnitude of value * 2^shift
    std::uint32_t code_bits = 8;                              ///< of the codes before they were stored, for explain
    std::int64_t bound = 0;                                   ///< of the sum of products with 8-bit activations
    std::uint64_t exponents = 0;                              ///< int32 per output: of the scale that sums have
    std::uint64_t multipliers = 0;                            ///< int32 per output, fixed point only
    std::uint64_t scales = 0;                                 ///< float per output: the scale that sums have
    std::uint64_t sums = 0;                                   ///< int32 per output: of value * 2^shift
    std::uint64_t block_shifts = 0;                           ///< uint8 [panel][depth block][16], or none
    std::uint64_t block_scales = 0;                           ///< float [panel][depth block][16], or none
    std::uint64_t biases = 0;                                 ///< uint8 [panel][depth block][16], or none
    std::uint64_t order = 0;                                  ///< uint32 per input: which activation it takes, or none
    std::uint64_t codes = 0;                                  ///< [panel][depth block][unit][64]
    std::uint32_t byte_order = 0x0102'0304;                   ///< reads otherwise where the byte order differs
    std::uint32_t isa = 0;                                    ///< instruction set of the layout; 0: any
    std::uint64_t first_inputs = 0;                           ///< of the first of two terms; 0: as many as of the other
    std::uint64_t first_block = 0;                            ///< of a depth block of it, where first_inputs is not 0
    std::uint64_t reserved[7] = {};                           ///< 0

    /// Panels of 16 outputs.
    [[nodiscard]] NOTCH_INLINE std::size_t panels() const noexcept { return ceil_div(outputs, panel_columns); }
    /// Depth blocks of all terms.
    [[nodiscard]] NOTCH_INLINE std::size_t depth_blocks() const noexcept { return blocks * terms; }
    /// Inputs of a term.
    [[nodiscard]] NOTCH_INLINE std::size_t inputs_of(std::size_t term) const noexcept {
        return term + 1 < terms && first_inputs != 0 ? first_inputs : inputs;
    }
    /// Inputs of a depth block of a term; the last may have fewer.
    [[nodiscard]] NOTCH_INLINE std::size_t block_of(std::size_t term) const noexcept {
        return term + 1 < terms && first_inputs != 0 ? first_block : block;
    }
    /// Inputs of one of all depth blocks.
    [[nodiscard]] NOTCH_INLINE std::size_t length(std::size_t h) const noexcept {
        const std::size_t term = h < blocks ? 0 : 1;
        const std::size_t own = h - term * blocks;
        return own + 1 == blocks ? inputs_of(term) - own * block_of(term) : block_of(term);
    }
    /// Steps of one of all depth blocks.
    [[nodiscard]] NOTCH_INLINE std::size_t steps(std::size_t h) const noexcept {
        return ceil_div(length(h), step_inputs);
    }
    /// Steps of all depth blocks of a term.
    [[nodiscard]] NOTCH_INLINE std::size_t term_steps(std::size_t term) const noexcept {
        return (blocks - 1) * ceil_div(block_of(term), step_inputs) + steps((term + 1) * blocks - 1);
    }
    /// Steps in 64 bytes.
    [[nodiscard]] NOTCH_INLINE std::size_t unit_steps() const noexcept { return bits == 8 ? 1 : bits == 4 ? 2 : 4; }
    /// Units of 64 bytes that some steps of a depth block take: without a division, which small products would feel.
    [[nodiscard]] NOTCH_INLINE std::size_t units_of(std::size_t block_steps) const noexcept {
        return (block_steps * bits + 7) / 8;
    }
    /// Bytes of the codes of one of all depth blocks of one panel.
    [[nodiscard]] NOTCH_INLINE std::size_t code_bytes(std::size_t h) const noexcept {
        return units_of(steps(h)) * step_bytes;
    }
    /// Bytes of the codes of one panel.
    [[nodiscard]] NOTCH_INLINE std::size_t panel_bytes() const noexcept {
        std::size_t sum = 0;
        for (std::size_t term = 0; term < terms; ++term)
            sum += (blocks - 1) * (units_of(ceil_div(block_of(term), step_inputs)) * step_bytes) +
                   code_bytes((term + 1) * blocks - 1);
        return sum;
    }
};
static_assert(sizeof(packed_header) == 256, "the header is part of a file format");

/// Fills in the offsets of all sections, one behind the other, and the bytes of everything. The sizes, bits and kind are
/// set. `biased`: codes of fewer than 8 bits have a bias per block; `ordered`: inputs are taken in an order of their own.
/// Raises range_error where a size does not fit 64 bits.
inline void place_sections(packed_header& head, bool biased, bool ordered) {
    const auto kind = static_cast<scale_kind>(head.kind);
    const std::uint64_t columns = round_up(head.outputs, panel_columns);
    const std::uint64_t table = checked_product(columns, head.depth_blocks(), "blocks of packed weights");
    std::uint64_t end = sizeof(packed_header);
    const auto place = [&end](bool exists, std::uint64_t count, std::uint64_t size) -> std::uint64_t {
        if (!exists)
            return 0;
        const std::uint64_t at = end;
        end = round_up(end + checked_product(count, size, "bytes of packed weights"), 64);
        return at;
    };
    const bool several = head.depth_blocks() > 1;
    head.exponents = place(true, columns, 4);
    head.multipliers = place(kind == scale_kind::fixed_point, columns, 4);
    head.scales = place(true, columns, 4);
    head.sums = place(true, columns, 4);
    head.block_scales = place(several && kind == scale_kind::real, table, 4);
    head.block_shifts = place(several && kind != scale_kind::real, table, 1);
    head.biases = place(head.bits < 8 && biased, table, 1);
    head.order = place(ordered, head.inputs, 4);
    head.codes = place(true, head.panels(), head.panel_bytes());
    head.bytes = end;
}

} // namespace detail

/// A packed weight matrix [outputs, inputs]: owned bytes, or bytes that somebody else keeps.
///
/// `pack` makes it; the kernels read it, any number of threads at once. Copying copies owned bytes.
class packed_weights {
public:
    /// Nothing, to be assigned to; what takes weights raises state_error.
    packed_weights() = default;
    /// Takes bytes that begin with a header and are consistent, as pack and packed_file.hpp make them.
    explicit packed_weights(detail::aligned_buffer<std::byte> bytes, std::string name = {})
        : owned_(std::move(bytes)), base_(owned_.data()), name_(std::move(name)) {}
    /// Looks at such bytes, which must stay where they are, at a multiple of 64 bytes.
    packed_weights(const std::byte* bytes, std::string name) : base_(bytes), name_(std::move(name)) {}

    /// Copies owned bytes, or looks at the same ones.
    packed_weights(const packed_weights& other)
        : owned_(other.owned_), base_(other.owned_.size() != 0 ? owned_.data() : other.base_), name_(other.name_) {}
    /// Takes the bytes; leaves `other` empty.
    packed_weights(packed_weights&& other) noexcept
        : owned_(std::move(other.owned_)), base_(std::exchange(other.base_, nullptr)), name_(std::move(other.name_)) {}
    packed_weights& operator=(packed_weights other) noexcept { ///< takes the bytes
        owned_ = std::move(other.owned_);
        base_ = std::exchange(other.base_, nullptr);
        name_ = std::move(other.name_);
        return *this;
    }
    ~packed_weights() = default;

    /// N, the rows of the weight matrix and the columns of the product.
    [[nodiscard]] std::size_t outputs() const { return header().outputs; }
    /// K, the length of the dot products.
    [[nodiscard]] std::size_t inputs() const { return header().inputs; }
    /// Bits of a stored code: 8, 4 or 2.
    [[nodiscard]] int bits() const { return static_cast<int>(header().bits); }
    /// What the scales are.
    [[nodiscard]] scale_kind kind() const { return static_cast<scale_kind>(header().kind); }
    /// No sum of products with 8-bit activations, less their zero point, has a larger magnitude.
    [[nodiscard]] std::int64_t bound() const { return header().bound; }
    /// Exponent of the scale that the sums of each output have (times that of the activations); power-of-two scales only.
    [[nodiscard]] std::span<const std::int32_t> exponents() const {
        return {section<std::int32_t>(header().exponents), outputs()};
    }
    /// Multipliers of the scale that the sums of each output have: scale = multiplier * 2^(exponent - 31); fixed point only.
    [[nodiscard]] std::span<const std::int32_t> multipliers() const {
        return {section<std::int32_t>(header().multipliers), header().multipliers != 0 ? outputs() : 0};
    }
    /// The scale that the sums of each output have, as floats; 1 where blocks have been scaled already.
    [[nodiscard]] std::span<const float> scales() const { return {section<float>(header().scales), outputs()}; }
    /// All bytes, the header first.
    [[nodiscard]] std::span<const std::byte> bytes() const { return {base_, static_cast<std::size_t>(header().bytes)}; }
    /// For messages; may be empty.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// The header. Raises state_error for weights that were never packed.
    [[nodiscard]] const detail::packed_header& header() const {
        if (base_ == nullptr)
            detail::raise<state_error>("packed weights are empty; make them by pack()");
        return *reinterpret_cast<const detail::packed_header*>(base_);
    }
    /// A section of the bytes, null for offset 0.
    template <class T> [[nodiscard]] const T* section(std::uint64_t offset) const noexcept {
        return offset == 0 ? nullptr : reinterpret_cast<const T*>(base_ + offset);
    }

private:
    detail::aligned_buffer<std::byte> owned_;
    const std::byte* base_ = nullptr;
    std::string name_;
};

} // namespace notch
