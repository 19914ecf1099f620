#include "gemm/products.hpp"

#include <concepts>
#include <vector>

namespace products {

namespace {

using namespace notch;

template <class Arch>
concept has_products = simd::compiled_for<Arch> && requires {
    simd::int_ops<Arch>::tile_rows;
};

template <class Arch>
void run(const left_operand& left, const packed_weights& weights, const any_output& to, const gemm_options& options,
         const pool& threads) {
    const auto call = [&](const auto& a, const auto& out) {
        if (threads)
            gemm<Arch>(a, weights, out.epilogue, out.dst, options, threads);
        else
            gemm<Arch>(a, weights, out.epilogue, out.dst, options);
    };
    std::visit(call, left, to);
}

/// True for what products.hpp promises; the tags are in order.
template <class Arch, class... Archs> constexpr bool is_listed() {
#if defined(ONLY_THE_STRONGEST)
    bool behind = false;
    bool last = true;
    ((last = last && !(behind && has_products<Archs>), behind = behind || std::same_as<Arch, Archs>), ...);
    return has_products<Arch> && last;
#else
    return has_products<Arch>;
#endif
}

template <class... Archs> std::vector<instruction_set> listed(simd::arch_list<Archs...>) {
    std::vector<instruction_set> list;
    const auto add = [&]<class Arch>(Arch) {
        if constexpr (is_listed<Arch, Archs...>()) {
            using ops = simd::int_ops<Arch>;
            list.push_back({Arch::name, ops::tile_rows, ops::tile_panels, ops::has_quad8, &detail::pack_terms<Arch>,
                            [](const detail::packed_header& head) { return detail::choose_kernel<Arch>(head); },
                            [](const packed_weights& weights, std::size_t rows, std::size_t tasks) {
                                return gemm_workspace<Arch>(weights, rows, tasks);
                            },
                            &run<Arch>});
        }
    };
    (add(Archs{}), ...);
    return list;
}

} // namespace

std::span<const instruction_set> instruction_sets() {
    static const std::vector<instruction_set> list = listed(simd::every_arch{});
    return list;
}

} // namespace products
