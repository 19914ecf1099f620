/// @file
/// The tasks of a product for one instruction set, with every standard epilogue. Included by the units <isa>.cpp only.
///
/// The walk over the tiles is compiled once per instruction set and calls the store of an epilogue through a pointer, once
/// per tile. What costs nothing to do always is done always (bias 0, widest clamp, zero point 0); residual,
/// requantization and element type have code of their own.
#pragma once

#include "unit.hpp"

#include <notch/core/config.hpp>
#include <notch/gemm/blocking.hpp>
#include <notch/gemm/store_tile.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// The stages of a standard epilogue around a requantization.
template <class Requantize, bool Residual> struct standard_stages {
    const prepared_epilogue& all;
    Requantize requantize;

    /// Calls next with the stages of some columns.
    template <simd::lane Lane, class Next>
    NOTCH_INLINE void with(const column_site<Lane>& site, const Next& next) const {
        const Lane bias = site.each(all.bias);
        with_stage<Lane>(requantize, site, [&](const auto& scale) NOTCH_LAMBDA_INLINE {
            if constexpr (Residual) {
                const auto of_uint8 = all.residual_of_uint8.at(site);
                const auto of_int8 = all.residual_of_int8.at(site);
                const bool is_signed = all.residual == 2;
                next([&](Lane x, std::size_t row) NOTCH_LAMBDA_INLINE {
                    x = x + bias;
                    return finished<Lane>(scale(is_signed ? of_int8(x, row) : of_uint8(x, row), row));
                });
            } else {
                next([&](auto x, std::size_t row) NOTCH_LAMBDA_INLINE {
                    if constexpr (std::same_as<decltype(x), Lane>)
                        x = x + bias;
                    return finished<Lane>(scale(x, row));
                });
            }
        });
    }

    /// Describes the stages of some columns.
    template <simd::lane Lane>
        requires(!Residual && has_description<Lane, Requantize>)
    [[nodiscard]] NOTCH_INLINE bool describe(plain_codes& codes, std::size_t at,
                                             const column_site<Lane>& site) const noexcept {
        return describe_bias<Lane>(codes, at, site.each(all.bias)) &&
               describe_stage<Lane>(requantize, codes, at, site) &&
               describe_stage<Lane>(all.activation, codes, at, site) &&
               describe_stage<Lane>(add_zero_point{all.zero_point}, codes, at, site);
    }

private:
    /// Codes are clamped and moved by the zero point; reals leave as they are.
    template <class Lane, class X> NOTCH_INLINE X finished(X x) const noexcept {
        if constexpr (std::same_as<X, Lane>)
            return all.activation(x) + Lane(all.zero_point);
        else
            return x;
    }
};

/// A store of tiles by reference.
struct erased_store {
    const void* store;
    void (*call)(const void* store, const std::int32_t* tile, const tile_place& place) noexcept;
    code_rows (*describes)(const void* store, const tile_place& place, plain_codes& codes) noexcept;

    NOTCH_INLINE void operator()(const std::int32_t* tile, const tile_place& place) const noexcept {
        call(store, tile, place);
    }
    [[nodiscard]] NOTCH_INLINE code_rows describe(const tile_place& place, plain_codes& codes) const noexcept {
        return describes(store, place, codes);
    }
};

/// Runs one task with one epilogue and element type.
template <class Arch, class T, bool Floats, class Stages>
void run_task_into(const dispatched_product& product, const Stages& stages, std::size_t task,
                   std::byte* memory) noexcept {
    using store_type = tile_store<Arch, Stages, T>;
    const gemm_job& job = *product.job;
    const store_type store(stages, product.problem,
                           job.weights.template section<std::int32_t>(job.weights.header().sums), job.zero_point,
                           static_cast<T*>(product.dst.data), product.dst.row_stride, product.dst.column_stride);
    using to_product = product_store<store_type, Floats>;
    const to_product to{store};
    const erased_store finish{&to,
                              [](const void* erased, const std::int32_t* tile, const tile_place& place) noexcept {
                                  (*static_cast<const to_product*>(erased))(tile, place);
                              },
                              [](const void* erased, const tile_place& place, plain_codes& codes) noexcept {
                                  return static_cast<const to_product*>(erased)->describe(place, codes);
                              }};
    gemm_task<Arch, erased_store>(job, finish, memory).run(task);
}

/// Runs one task with one epilogue.
template <class Arch, bool Floats, class Stages>
void run_task_with(const dispatched_product& product, const Stages& stages, std::size_t task,
                   std::byte* memory) noexcept {
    using requantize = decltype(stages.requantize);
    if constexpr (std::same_as<requantize, to_real> || (Floats && std::same_as<requantize, identity>)) {
        run_task_into<Arch, float, Floats>(product, stages, task, memory);
    } else {
        switch (product.dst.element) {
        case output_element::uint8:
            return run_task_into<Arch, std::uint8_t, Floats>(product, stages, task, memory);
        case output_element::int8:
            return run_task_into<Arch, std::int8_t, Floats>(product, stages, task, memory);
        default:
            return run_task_into<Arch, std::int32_t, Floats>(product, stages, task, memory);
        }
    }
}

/// Runs one task with one requantization.
template <class Arch, class Requantize>
void run_task_of(const dispatched_product& product, const Requantize& requantize, std::size_t task,
                 std::byte* memory) noexcept {
    const prepared_epilogue& all = product.epilogue;
    if constexpr (takes_floats<Requantize>())
        if (product.floats)
            return run_task_with<Arch, true>(product, standard_stages<Requantize, false>{all, requantize}, task,
                                             memory);
    if (all.residual != 0)
        return run_task_with<Arch, false>(product, standard_stages<Requantize, true>{all, requantize}, task, memory);
    return run_task_with<Arch, false>(product, standard_stages<Requantize, false>{all, requantize}, task, memory);
}

/// The alternatives of standard_epilogue::requantization.
template <std::size_t I>
using requantization_at = std::variant_alternative_t<I, standard_epilogue::requantization_stage>;

/// Runs one task.
template <class Arch> void run_task(const dispatched_product& product, std::size_t task, std::byte* memory) noexcept {
    const prepared_epilogue& all = product.epilogue;
    switch (all.requantization) {
    case 0:
        return run_task_of<Arch>(product, requantization_at<0>{}, task, memory);
    case 1:
        return run_task_of<Arch>(product, requantization_at<1>{0, 0, all.counts}, task, memory);
    case 2:
        return run_task_of<Arch>(product, requantization_at<2>{0, 0, all.counts}, task, memory);
    case 3:
        return run_task_of<Arch>(product, requantization_at<3>{0, 0, all.counts}, task, memory);
    case 4:
        return run_task_of<Arch>(product, requantization_at<4>{0, 0, all.counts}, task, memory);
    case 5:
        return run_task_of<Arch>(product, all.fixed_point, task, memory);
    case 6:
        return run_task_of<Arch>(product, requantization_at<6>{all.fixed_point.multipliers, all.fixed_point.exponents},
                                 task, memory);
    case 7:
        return run_task_of<Arch>(product, all.real, task, memory);
    default:
        return run_task_of<Arch>(product, all.reals, task, memory);
    }
}

static_assert(std::same_as<requantization_at<5>, fixed_point_requantize<single_rounding>> &&
              std::same_as<requantization_at<7>, real_requantize<>> && std::same_as<requantization_at<8>, to_real> &&
              std::variant_size_v<standard_epilogue::requantization_stage> == 9);

/// The table of an instruction set.
template <class Arch>
inline constexpr dispatch_unit unit_for{simd::isa_of<Arch>, kernel_traits_of<Arch>, &run_task<Arch>};

} // namespace notch::detail
