/// @file
/// Runs a stage over a matrix of numbers as a product would, on a lane of choice.
#pragma once

#include "catch.hpp"

#include <notch/core/random.hpp>
#include <notch/epilogue/stage.hpp>
#include <notch/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace lanes {

using namespace notch;

/// Calls f(lane, name) for the lane of every instruction set that the flags allow; the value of `lane` means nothing.
template <class F, class... Archs> void for_each_lane_of(const F& f, simd::arch_list<Archs...>) {
    const auto visit = [&]<class Arch>(Arch) {
        if constexpr (simd::compiled_for<Arch>)
            f(simd::lane_of<Arch>(std::int32_t{0}), Arch::name);
    };
    (visit(Archs{}), ...);
}
template <class F> void for_each_lane(const F& f) { for_each_lane_of(f, simd::every_arch{}); }

/// Numbers [rows][columns] and what is known of them.
struct matrix {
    epilogue_problem problem{};
    std::vector<std::int32_t> numbers{};
    std::vector<std::int32_t> exponents{}; ///< per column, or empty
    std::vector<float> scales{};           ///< per column, or empty

    [[nodiscard]] epilogue_problem known() const {
        epilogue_problem p = problem;
        p.exponents = exponents.empty() ? nullptr : exponents.data();
        p.scales = scales.empty() ? nullptr : scales.data();
        return p;
    }
};

/// Numbers of every magnitude up to a bound, both ends among them.
inline matrix numbers_up_to(std::int64_t bound, std::size_t rows, std::size_t columns, std::uint64_t seed = 1) {
    matrix m;
    m.problem.rows = rows;
    m.problem.columns = columns;
    m.problem.name = "w";
    m.problem.powers_of_two = true;
    m.problem.lowest = -bound;
    m.problem.highest = bound;
    for (std::size_t i = 0; i < rows * columns; ++i) {
        const std::uint64_t bits = counter_bits(seed, i);
        const auto limit = bound >> (bits >> 59);
        const auto magnitude = static_cast<std::int64_t>((bits >> 8) & 0xffff'ffffU) % (limit + 1);
        m.numbers.push_back(static_cast<std::int32_t>((bits & 1) != 0 ? -magnitude : magnitude));
        if (i % 97 < 2)
            m.numbers.back() = static_cast<std::int32_t>(i % 97 == 0 ? bound : -bound);
    }
    return m;
}

/// What a prepared stage makes of numbers; columns that fill no lane go one by one. Input floats where `In` is float.
template <class Lane, class Out = std::int32_t, class Stage, class In>
std::vector<Out> run_prepared(const Stage& stage, const epilogue_problem& problem, const std::vector<In>& numbers) {
    std::vector<Out> results(numbers.size());
    const auto columns = [&](auto lane, std::size_t c) {
        using lane_type = decltype(lane);
        // As in a product, through with_stage, and by itself.
        detail::with_stage<lane_type>(stage, column_site<lane_type>{c, problem}, [&](const auto& f) {
            for (std::size_t m = 0; m < problem.rows; ++m) {
                const std::size_t at = m * problem.columns + c;
                const auto store = [&](const auto& result) {
                    using simd::store_floats;
                    if constexpr (std::is_same_v<Out, float>)
                        store_floats(&results[at], result);
                    else
                        simd::store_lane<lane_type>(&results[at], result);
                };
                if constexpr (std::is_same_v<In, float>)
                    store(f(simd::load_floats<lane_type>(&numbers[at]), m));
                else
                    store(f(simd::load_lane<lane_type>(&numbers[at]), m));
            }
        });
    };
    std::size_t c = 0;
    for (; c + simd::lane_width<Lane> <= problem.columns; c += simd::lane_width<Lane>)
        columns(Lane(std::int32_t{0}), c);
    for (; c < problem.columns; ++c)
        columns(std::int32_t{0}, c);
    return results;
}

/// Prepares a copy of the stage; returns what is known of its results.
template <class Stage> epilogue_problem prepared(Stage& stage, const matrix& m) {
    epilogue_problem problem = m.known();
    detail::prepare_stage(stage, problem);
    return problem;
}

/// Prepares a stage, runs it on every lane, and checks each number, and that it lies in the range that prepare promises.
/// `wanted(row, column, number)` is a 64-bit integer.
template <class Stage, class Wanted> void check_stage(const Stage& stage, const matrix& m, const Wanted& wanted) {
    Stage ready = stage;
    const epilogue_problem after = prepared(ready, m);
    for_each_lane([&](auto lane, const char* name) {
        INFO(name);
        const auto results = run_prepared<decltype(lane)>(ready, after, m.numbers);
        std::size_t wrong = 0;
        std::size_t outside = 0;
        std::string first;
        for (std::size_t i = 0; i < results.size(); ++i) {
            const std::int64_t expected = wanted(i / after.columns, i % after.columns, m.numbers[i]);
            if (results[i] != expected && wrong++ == 0)
                first = detail::text("row ", i / after.columns, ", column ", i % after.columns, ": ", m.numbers[i],
                                     " becomes ", results[i], ", not ", expected);
            outside += results[i] < after.lowest || results[i] > after.highest;
        }
        CHECK(first == "");
        CHECK(wrong == 0);
        CHECK(outside == 0);
    });
}

/// prepare raises an error of a kind whose text contains each of these.
template <class Error, class Stage>
void check_refused(const Stage& stage, const matrix& m, const std::vector<std::string>& texts) {
    Stage copy = stage;
    CHECK_THROWS_AS(prepared(copy, m), Error);
    for (const std::string& text : texts)
        CHECK_THROWS_WITH(prepared(copy, m), containing(text));
}

} // namespace lanes
