/// @file
/// The part of notch::dispatch that runs everywhere: which kernels there are, which are used, and all of a product but its
/// tasks. CMake says by NOTCH_DISPATCH_<isa> which units are linked.
#include "unit.hpp"

#include <notch/core/error.hpp>
#include <notch/gemm/dispatch.hpp>

#include <concepts>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

namespace notch {
namespace detail {

// Each is defined in the unit of its instruction set.
template <> const dispatch_unit dispatch_unit_of<simd::scalar>::table;
template <> const dispatch_unit dispatch_unit_of<simd::sse41>::table;
template <> const dispatch_unit dispatch_unit_of<simd::avx2>::table;
template <> const dispatch_unit dispatch_unit_of<simd::avx_vnni>::table;
template <> const dispatch_unit dispatch_unit_of<simd::avx512bw>::table;
template <> const dispatch_unit dispatch_unit_of<simd::avx512vnni>::table;
template <> const dispatch_unit dispatch_unit_of<simd::neon64>::table;
template <> const dispatch_unit dispatch_unit_of<simd::neon_dotprod>::table;
template <> const dispatch_unit dispatch_unit_of<simd::neon_i8mm>::table;

namespace {

constexpr const dispatch_unit* units[] = {
    &dispatch_unit_of<simd::scalar>::table,
#if defined(NOTCH_DISPATCH_sse41)
    &dispatch_unit_of<simd::sse41>::table,
#endif
#if defined(NOTCH_DISPATCH_avx2)
    &dispatch_unit_of<simd::avx2>::table,
#endif
#if defined(NOTCH_DISPATCH_avx_vnni)
    &dispatch_unit_of<simd::avx_vnni>::table,
#endif
#if defined(NOTCH_DISPATCH_avx512bw)
    &dispatch_unit_of<simd::avx512bw>::table,
#endif
#if defined(NOTCH_DISPATCH_avx512vnni)
    &dispatch_unit_of<simd::avx512vnni>::table,
#endif
#if defined(NOTCH_DISPATCH_neon64)
    &dispatch_unit_of<simd::neon64>::table,
#endif
#if defined(NOTCH_DISPATCH_neon_dotprod)
    &dispatch_unit_of<simd::neon_dotprod>::table,
#endif
#if defined(NOTCH_DISPATCH_neon_i8mm)
    &dispatch_unit_of<simd::neon_i8mm>::table,
#endif
};

simd::isa_set carried() noexcept {
    simd::isa_set set;
    for (const dispatch_unit* unit : units)
        set.add(unit->which);
    return set;
}

/// The unit of an instruction set that this machine has.
const dispatch_unit& unit_of(simd::isa which) {
    for (const dispatch_unit* unit : units)
        if (unit->which == which && simd::machine_has(which))
            return *unit;
    raise<unsupported_error>("dispatched_gemm: there are no kernels of ", simd::name(which),
                             " for this machine; available here: ", simd::names(dispatched_isas()));
}

/// Prepares the stages of an epilogue in their order, as a chain of them does.
class epilogue_preparation {
public:
    epilogue_preparation(const standard_epilogue& from, epilogue_problem& problem) : from_(from), problem_(problem) {}

    [[nodiscard]] prepared_epilogue operator()() {
        if (!from_.bias.empty()) {
            add_bias{from_.bias}.prepare(problem_);
            to_.bias = from_.bias.data();
        }
        to_.residual = from_.residual.index();
        to_.requantization = from_.requantization.index();
        std::visit([this](auto stage) { prepare(stage); }, from_.residual);
        std::visit([this](auto stage) { prepare(stage); }, from_.requantization);
        std::visit([this](auto stage) { prepare(stage); }, from_.activation);
        if (from_.zero_point != 0) {
            add_zero_point{from_.zero_point}.prepare(problem_);
            to_.zero_point = from_.zero_point;
        }
        return to_;
    }

private:
    /// The same codes as another type: kernels prepare both readings and use one.
    template <class To, class Code>
    [[nodiscard]] static add_residual<To> read_as(const add_residual<Code>& stage) noexcept {
        const strided_view<const To, 2> codes(reinterpret_cast<const To*>(stage.codes.data()), stage.codes.shape(),
                                              {stage.codes.stride(0), stage.codes.stride(1)});
        return {codes, stage.exponent, stage.zero_point, stage.offset_, stage.exponents_};
    }
    template <class Stage> void prepare(Stage stage) {
        prepare_stage(stage, problem_);
        keep(stage);
    }
    void keep(identity /*stage*/) noexcept {}
    template <class Code> void keep(const add_residual<Code>& stage) noexcept {
        to_.residual_of_uint8 = read_as<std::uint8_t>(stage);
        to_.residual_of_int8 = read_as<std::int8_t>(stage);
    }
    template <class Rounding> void keep(const shift_requantize<Rounding>& stage) noexcept {
        to_.counts = stage.counts_;
    }
    template <class Style> void keep(const fixed_point_requantize<Style>& stage) noexcept {
        to_.fixed_point = {stage.multipliers, stage.exponents};
    }
    void keep(const real_requantize<>& stage) noexcept { to_.real = stage; }
    void keep(const to_real& stage) noexcept { to_.reals = stage; }
    void keep(relu /*stage*/) noexcept { to_.activation = {0, std::numeric_limits<std::int32_t>::max()}; }
    void keep(const clamp& stage) noexcept { to_.activation = stage; }

    const standard_epilogue& from_;
    epilogue_problem& problem_;
    prepared_epilogue to_{};
};

/// Raises unsupported_error where numbers of one type would meet a stage or a destination of another.
void check_types(const packed_weights& weights, const standard_epilogue& epilogue, output_element element,
                 bool float_sums) {
    const bool to_reals = std::holds_alternative<to_real>(epilogue.requantization);
    const bool as_they_are = std::holds_alternative<identity>(epilogue.requantization);
    const bool float_output = element == output_element::float32;
    if (to_reals ? !float_output : float_output && !as_they_are)
        raise<unsupported_error>("gemm: ", quoted(weights.name()),
                                 ": what leaves the epilogue does not fit the destination; a float destination needs "
                                 "to_real, an integer one must not have it");
    const bool takes_floats =
        to_reals || as_they_are || std::holds_alternative<real_requantize<>>(epilogue.requantization);
    if (float_sums &&
        (!takes_floats || !epilogue.bias.empty() || epilogue.residual.index() != 0 || (as_they_are && !float_output)))
        raise_float_sums("gemm", weights);
    if (!float_sums && float_output && as_they_are)
        raise_integer_sums("gemm", weights);
    if (float_output && (epilogue.activation.index() != 0 || epilogue.zero_point != 0))
        raise<unsupported_error>("gemm: ", quoted(weights.name()),
                                 ": an activation or a zero point behind reals; they leave as they are");
}

} // namespace

void dispatched_gemm_into(const gemm_operand& a, const packed_weights& weights, const standard_epilogue& epilogue,
                          const gemm_output& dst, const gemm_options& options, executor_ref run, simd::isa which) {
    const dispatch_unit& unit = unit_of(which);
    check_extents(a, weights, dst.shape);
    dispatched_product product;
    product.problem = problem_of(a, weights);
    product.floats = product.problem.is_float;
    product.dst = dst;
    product.epilogue = epilogue_preparation(epilogue, product.problem)();
    check_types(weights, epilogue, dst.element, product.floats);
    if (a.codes.rows == 0)
        return;
    gemm_job job = plan_product(unit.traits, weights, a.codes, options.tasks);
    product.job = &job;
    run_product(
        job, weights.name(), [&](std::size_t task, std::byte* memory) { unit.run_task(product, task, memory); }, run,
        options.workspace);
}

} // namespace detail

simd::isa_set dispatched_isas() {
    simd::isa_set set;
    for (const detail::dispatch_unit* unit : detail::units)
        if (simd::machine_has(unit->which))
            set.add(unit->which);
    return set;
}

simd::isa dispatched_isa() {
    static const simd::isa chosen = [] {
        const char* const text = std::getenv("NOTCH_ISA");
        const std::string_view wanted = text == nullptr ? "" : text;
        const std::optional<simd::isa> named = simd::parse_isa(wanted);
        if (named && simd::machine_has(*named) && !detail::carried().has(*named))
            detail::raise<unsupported_error>(
                "NOTCH_ISA names '", wanted,
                "', whose kernels are not in this program; available here: ", simd::names(dispatched_isas()));
        return simd::choose_isa(dispatched_isas(), wanted);
    }();
    return chosen;
}

std::size_t dispatched_gemm_workspace(const packed_weights& weights, std::size_t rows, std::size_t tasks,
                                      simd::isa which) {
    return detail::unaligned_workspace(
        detail::product_workspace(detail::unit_of(which).traits, weights.header(), rows, tasks));
}

} // namespace notch
