/// @file
/// Stages of a namespace of its own, in both forms, alone and chained with those of the library.
#include "epilogue/engine.hpp"
#include "epilogue/lanes.hpp"

#include <notch/epilogue/activation.hpp>
#include <notch/epilogue/add_residual.hpp>
#include <notch/epilogue/shift_requantize.hpp>

namespace engine {

/// Lacks both forms.
struct nothing {
    int number = 0;
};

} // namespace engine

using namespace lanes;

namespace {

static_assert(epilogue_stage<engine::leaky> && epilogue_stage<engine::add_place>);
static_assert(!epilogue_stage<engine::nothing> && !epilogue_stage<int>);
static_assert(epilogue_stage<identity> && epilogue_stage<decltype(relu{} | engine::leaky{})>);

std::int64_t leaked(std::int64_t x) { return x >= 0 ? x : nearest_even::shift_right(static_cast<std::int32_t>(x), 3); }

} // namespace

TEST_CASE("stages of a foreign namespace run on every lane", "[epilogue][foreign]") {
    const matrix m = numbers_up_to(100000, 12, 37);
    const auto offset = engine::offsets(37);
    check_stage(engine::leaky{}, m, [](std::size_t, std::size_t, std::int64_t x) { return leaked(x); });
    check_stage(engine::add_place{offset}, m, [&](std::size_t row, std::size_t c, std::int64_t x) {
        return x + offset[c] + 1000 * static_cast<std::int64_t>(row);
    });
    check_stage(identity{}, m, [](std::size_t, std::size_t, std::int64_t x) { return x; });
}

TEST_CASE("stages are chained in order", "[epilogue][chain]") {
    const matrix m = numbers_up_to(100000, 12, 37);
    const auto offset = engine::offsets(37);
    const auto wanted = [&](std::size_t row, std::size_t c, std::int64_t x) {
        const std::int64_t placed = leaked(x) + offset[c] + 1000 * static_cast<std::int64_t>(row);
        return (placed < 0 ? 0 : placed) + 5;
    };
    check_stage(stages(engine::leaky{}, engine::add_place{offset}, relu{}, add_zero_point{5}), m, wanted);
    check_stage(stages(engine::leaky{}, engine::add_place{offset}) | relu{} | add_zero_point{5}, m, wanted);
    check_stage(stages(engine::leaky{}) | stages(engine::add_place{offset}, relu{}) | add_zero_point{5}, m, wanted);
    // Each stage sees what stands in front of it: the residual behind a shift has the scale of the codes.
    std::vector<std::uint8_t> memory(12 * 37, 40);
    const strided_view<const std::uint8_t, 2> codes(memory.data(), {12, 37});
    matrix scaled = m;
    scaled.exponents.assign(37, -9);
    check_stage(shift_requantize<>{-4} | add_residual<std::uint8_t>{codes, -2, 8}, scaled,
                [](std::size_t, std::size_t, std::int64_t x) {
                    return nearest_even::shift_right(static_cast<std::int32_t>(x), 5) + 32 * 4;
                });
    check_stage(add_residual<std::uint8_t>{codes, -2, 8} | shift_requantize<>{-4}, scaled,
                [](std::size_t, std::size_t, std::int64_t x) {
                    return nearest_even::shift_right(static_cast<std::int32_t>(x + 32 * 128), 5);
                });
    // Errors of any stage come out, with the range as it is there.
    check_refused<shape_error>(stages(relu{}, engine::add_place{}), m, {"engine: wrong number"});
    check_refused<range_error>(stages(relu{}, shift_right_by<>{-20}), m, {"sums up to 100000 leaves int32"});
}
