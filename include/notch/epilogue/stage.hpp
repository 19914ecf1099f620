/// @file
/// Stages: what happens to a sum of products between the accumulator and the store. A tile never leaves the cache.
///
///     add_bias{bias} | shift_requantize{-4} | relu{} | add_zero_point{3}
///
/// A stage is a struct, yours or one of this folder, with one of
///
///     template <lane Lane> Lane operator()(Lane x) const          the same for every output
///     template <lane Lane> auto at(column_site<Lane> site) const  returns what is called for each row of some columns:
///                                                                 f(x, row)
///
/// written once over a lane (simd/lane.hpp), so that the scalar reference and every instruction set share the text.
/// It may also have `void prepare(epilogue_problem&)`, which runs once per product on a copy of the stage: there it
/// checks its numbers, and says what it does to the range and the scale of the sums. What leaves the last stage
/// is clamped to the element type of the destination and stored.
///
/// Where numbers can say what a stage does (epilogue/plain_codes.hpp), it may have one of
///
///     bool describe(plain_codes& codes) const                                           the same for every output
///     template <lane Lane> bool describe(plain_codes& codes, std::size_t at,
///                                        const column_site<Lane>& site) const           of some columns, number `at` and on
///
/// which adds that to `codes`, or returns false where, of the numbers at hand, nothing of the kind is true. Where all stages of
/// a chain do, microkernels may finish their tiles in registers, and are not asked for sums.
#pragma once

#include <notch/core/config.hpp>
#include <notch/core/error.hpp>
#include <notch/epilogue/plain_codes.hpp>
#include <notch/simd/int_kernels.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace notch {

/// What is known of the numbers that enter a stage.
struct epilogue_problem {
    std::size_t rows = 0;                    ///< M
    std::size_t columns = 0;                 ///< N
    std::string_view name{};                 ///< of the weights, for messages
    bool powers_of_two = false;              ///< exponents are meaningful
    const std::int32_t* exponents = nullptr; ///< per column; null: 0 for all
    std::int32_t exponent = 0;               ///< is added to them: real = number * 2^(exponents[c] + exponent)
    const float* scales = nullptr;           ///< per column; null: 1 for all
    float scale = 1;                         ///< is multiplied with them: real = number * (scales[c] * scale)
    bool is_float = false;                   ///< sums are floats: scales change along the inputs, and are real
    std::int64_t lowest = 0;                 ///< smallest number that can occur
    std::int64_t highest = 0;                ///< largest number that can occur

    /// Exponent of one column.
    [[nodiscard]] std::int32_t exponent_of(std::size_t column) const noexcept {
        return exponent + (exponents == nullptr ? 0 : exponents[column]);
    }
    /// Raises range_error where a number could leave int32. `what` names the operation.
    void check_range(std::string_view what) const {
        constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
        if (lowest < -limit || highest > limit)
            detail::raise<range_error>(detail::quoted(name), ": ", what, " may reach [", lowest, ", ", highest,
                                       "], beyond ", limit);
    }
};

/// Some columns side by side: as many as a lane has numbers.
template <simd::lane Lane> struct column_site {
    std::size_t column;              ///< the first of them
    const epilogue_problem& problem; ///< as it was after the stage's own prepare

    /// Numbers of these columns; `value` for all where the list is null.
    [[nodiscard]] NOTCH_INLINE Lane each(const std::int32_t* list, std::int32_t value = 0) const noexcept {
        if constexpr (requires { typename Lane::half; }) // registers one by one, or gcc puts all of them to memory
            return {half<0>().each(list, value), half<1>().each(list, value)};
        else
            return list == nullptr ? Lane(value) : simd::load_lane<Lane>(list + column);
    }
    /// Reals of these columns; `value` for all where the list is null.
    [[nodiscard]] NOTCH_INLINE simd::float_lane<Lane> each(const float* list, float value = 1) const noexcept {
        if constexpr (requires { typename Lane::half; })
            return {half<0>().each(list, value), half<1>().each(list, value)};
        else
            return list == nullptr ? simd::float_lane<Lane>(value) : simd::load_floats<Lane>(list + column);
    }

private:
    /// One of the two lanes of a lane of two.
    template <std::size_t Number> [[nodiscard]] NOTCH_INLINE auto half() const noexcept {
        using part = typename Lane::half;
        return column_site<part>{column + Number * simd::lane_width<part>, problem};
    }
};

namespace detail {

template <class S>
concept stage_for_all = requires(const S& stage, std::int32_t x) {
    stage(x);
};

template <class S>
concept stage_per_column = requires(const S& stage, const column_site<std::int32_t>& site) {
    stage.at(site);
};

template <class S>
concept stage_of_floats = requires(const S& stage, float x) {
    stage(x);
};

/// One name for the forms of a stage: compilers print it instead of every reason why none of them is there.
template <class S>
inline constexpr bool is_called_with_numbers_or_has_at = stage_for_all<S> || stage_per_column<S> || stage_of_floats<S>;

/// What a stage does to the rows of some columns.
template <class Lane, class S> [[nodiscard]] NOTCH_INLINE auto stage_at(const S& stage, const column_site<Lane>& site) {
    if constexpr (stage_per_column<S>)
        return stage.at(site);
    else
        return [stage](auto x, std::size_t) NOTCH_LAMBDA_INLINE { return stage(x); };
}

/// Calls next(f) with what a stage does to the rows of some columns. What a stage knows of its columns stays in the
/// frame of the caller, where the compiler keeps it in registers; closures that are copied would go through memory.
template <class Lane, class S, class Next>
NOTCH_INLINE void with_stage(const S& stage, const column_site<Lane>& site, const Next& next) {
    if constexpr (requires { stage.with(site, next); }) {
        stage.with(site, next);
    } else {
        const auto f = stage_at<Lane>(stage, site);
        next(f);
    }
}

/// True where a stage may describe itself.
template <class Lane, class S> inline constexpr bool has_description = requires(const S& stage, plain_codes& codes) {
    stage.describe(codes);
}
|| requires(const S& stage, plain_codes& codes, const column_site<Lane>& site) { stage.describe(codes, 0U, site); };

/// Adds what a stage does to some columns. False where it cannot be said.
template <class Lane, class S>
[[nodiscard]] NOTCH_INLINE bool describe_stage(const S& stage, plain_codes& codes, std::size_t at,
                                               const column_site<Lane>& site) noexcept {
    if constexpr (requires { stage.describe(codes, at, site); })
        return stage.describe(codes, at, site);
    else
        return at != 0 || stage.describe(codes);
}

/// Adds biases of some columns. False where sums have been scaled.
template <class Lane>
[[nodiscard]] NOTCH_INLINE bool describe_bias(plain_codes& codes, std::size_t at, const Lane& bias) noexcept {
    simd::store_lane<Lane>(codes.add + at, simd::load_lane<Lane>(codes.add + at) + bias);
    return codes.how == plain_codes::scaling::none;
}

/// True where a stage takes float sums: real scales that change along the inputs.
template <class S> [[nodiscard]] constexpr bool takes_floats() noexcept {
    if constexpr (requires { S::takes_floats; })
        return S::takes_floats;
    else
        return false;
}

template <class S> void prepare_stage(S& stage, epilogue_problem& problem) {
    if constexpr (requires { stage.prepare(problem); })
        stage.prepare(problem);
}

} // namespace detail

/// A stage of an epilogue, see above.
template <class S>
concept epilogue_stage = std::copyable<S> && detail::is_called_with_numbers_or_has_at<S>;

/// One stage after another.
template <epilogue_stage First, epilogue_stage Second> struct stage_chain {
    /// Whether float sums may enter.
    static constexpr bool takes_floats = detail::takes_floats<First>();
    First first;   ///< runs first
    Second second; ///< takes what the first one returns

    /// Prepares both, in order.
    void prepare(epilogue_problem& problem) {
        detail::prepare_stage(first, problem);
        after_first_ = problem;
        detail::prepare_stage(second, problem);
    }
    /// Both, in order.
    template <simd::lane Lane> [[nodiscard]] NOTCH_INLINE auto at(const column_site<Lane>& site) const {
        const auto one = detail::stage_at<Lane>(first, column_site<Lane>{site.column, after_first_});
        const auto two = detail::stage_at<Lane>(second, site);
        return [one, two](auto x, std::size_t row) NOTCH_LAMBDA_INLINE { return two(one(x, row), row); };
    }

    /// Calls next with both.
    template <simd::lane Lane, class Next>
    NOTCH_INLINE void with(const column_site<Lane>& site, const Next& next) const {
        detail::with_stage<Lane>(
            first, column_site<Lane>{site.column, after_first_}, [&](const auto& one) NOTCH_LAMBDA_INLINE {
                detail::with_stage<Lane>(second, site, [&](const auto& two) NOTCH_LAMBDA_INLINE {
                    next([&](auto x, std::size_t row) NOTCH_LAMBDA_INLINE { return two(one(x, row), row); });
                });
            });
    }

    /// Describes both, in order.
    template <simd::lane Lane>
        requires(detail::has_description<Lane, First>&& detail::has_description<Lane, Second>)
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        return detail::describe_stage<Lane>(first, codes, at, column_site<Lane>{site.column, after_first_}) &&
               detail::describe_stage<Lane>(second, codes, at, site);
    }

    epilogue_problem after_first_{}; ///< set by prepare
};

/// Chains stages. Where both are types of your own, use stages(a, b).
template <epilogue_stage First, epilogue_stage Second>
[[nodiscard]] constexpr stage_chain<First, Second> operator|(First first, Second second) {
    return {first, second, {}};
}

/// One stage.
template <epilogue_stage Stage> [[nodiscard]] constexpr Stage stages(Stage stage) { return stage; }

/// Stages in order, as first | second | ...
template <epilogue_stage First, epilogue_stage Second, epilogue_stage... Rest>
[[nodiscard]] constexpr auto stages(First first, Second second, Rest... rest) {
    return stages(stage_chain<First, Second>{first, second, {}}, rest...);
}

/// No stage: sums are stored as they are.
struct identity {
    /// Whether float sums may enter.
    static constexpr bool takes_floats = true;
    /// x.
    template <class X> [[nodiscard]] NOTCH_INLINE X operator()(X x) const noexcept { return x; }
};

} // namespace notch
