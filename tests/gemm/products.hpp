/// @file
/// pack and gemm of every instruction set that the flags allow, behind function pointers: products.cpp is the only file of
/// the tests that compiles all the kernels.
#pragma once

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/real_requantize.hpp>
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>

namespace products {

/// A left operand of either sign.
using left_operand = std::variant<notch::activation_codes<std::uint8_t>, notch::activation_codes<std::int8_t>>;

/// An epilogue and where its results go.
template <class Epilogue, class T> struct output {
    Epilogue epilogue;
    notch::strided_view<T, 2> dst;
};
using real_codes = decltype(notch::real_requantize<>{} | notch::add_zero_point{});
using shifted_codes = decltype(notch::shift_requantize<>{} | notch::relu{} | notch::add_zero_point{});
using any_output = std::variant<output<notch::identity, std::int32_t>, output<notch::to_real, float>,
                                output<real_codes, std::uint8_t>, output<shifted_codes, std::int8_t>>;

/// A pool of the caller's.
using pool = std::function<void(std::size_t, const std::function<void(std::size_t)>&)>;

/// What an instruction set offers.
struct instruction_set {
    const char* name;
    std::size_t tile_rows;
    std::size_t tile_panels;
    bool has_quad8;
    notch::packed_weights (*pack)(std::span<const notch::detail::weight_term>, const std::string& name);
    notch::detail::kernel_choice (*choose)(const notch::detail::packed_header&);
    std::size_t (*workspace)(const notch::packed_weights&, std::size_t rows, std::size_t tasks);
    void (*run)(const left_operand&, const notch::packed_weights&, const any_output&, const notch::gemm_options&,
                const pool&);
};

/// All that this program is compiled for, the weakest first. With ONLY_THE_STRONGEST the others are left to the programs
/// that are compiled for them.
std::span<const instruction_set> instruction_sets();

} // namespace products
