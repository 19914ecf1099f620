/// @file
/// conv2d of every instruction set of the flags beside the definition.
#pragma once

#include "conv/filter_cases.hpp"
#include "gemm/guarded.hpp"

#include <notch/conv/conv2d.hpp>
#include <notch/conv/pack_filters.hpp>
#include <notch/conv/reference.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace conv_cases {

/// Calls f(arch) for every instruction set that is tested.
template <class F, class... Archs> void for_each_arch_of(const F& f, simd::arch_list<Archs...>) {
    const auto visit = [&]<class Arch>(Arch arch) {
        if constexpr (is_tested<Arch>)
            f(arch);
    };
    (visit(Archs{}), ...);
}

/// A copy of images between pages that nobody may touch, side by side in memory.
template <class T> class guarded_images {
public:
    explicit guarded_images(const any_images<T>& from, guarded::side side)
        : memory_(element_count<4>(from.codes.shape()), side), from_(from) {
        std::size_t i = 0;
        for_each_place(from.codes.shape(), [&](auto n, auto h, auto w, auto c) {
            reinterpret_cast<T*>(memory_.data())[i++] = from.codes.at(n, h, w, c);
        });
    }
    [[nodiscard]] image_codes<T> plain() const {
        const strided_view<const T, 4> view(reinterpret_cast<const T*>(memory_.data()), from_.codes.shape());
        return {view, from_.zero_point, from_.exponent, from_.scale};
    }

private:
    guarded::bytes memory_;
    const any_images<T>& from_;
};

/// conv2d on every instruction set, images with strides by chance and side by side, several tasks, the smallest
/// workspace; returns what went wrong first.
template <class T, class Filters, class Epilogue, class To>
std::string compare(sequence& random, const any_images<T>& a, const Filters& w, const conv_geometry& g,
                    const extents<4>& result, const Epilogue& epilogue, To fill) {
    any_strides<To> wanted(random, result, fill);
    reference_conv2d(a.plain(), w, g, epilogue, wanted.view());
    const packed_filters packed = pack_filters(w, g);
    packed_filters direct = packed;
    direct.set_transformed({});
    const guarded_images<T> dense(a, random.between(0, 1) == 0 ? guarded::side::front : guarded::side::back);
    std::string first;
    const auto check = [&](auto arch, const image_codes<T>& images, const packed_filters& from, std::size_t tasks) {
        using isa = decltype(arch);
        any_strides<To> got(random, result, fill);
        guarded::bytes workspace(conv_workspace<isa>(images, from, g, tasks));
        const auto backwards = [](std::size_t count, const auto& task) {
            while (count > 0)
                task(--count);
        };
        conv2d<isa>(images, from, g, epilogue, got.view(), {tasks, {workspace.data(), workspace.size()}}, backwards);
        for_each_place(result, [&](auto n, auto h, auto x, auto o) {
            const To one = wanted.at(n, h, x, o);
            const To other = got.at(n, h, x, o);
            if (std::memcmp(&one, &other, sizeof one) != 0 && first.empty())
                first = detail::text(isa::name, from.transformed().steps != 0 ? ", transformed" : "", ", ", tasks,
                                     " tasks: result (", n, ", ", h, ", ", x, ", ", o, ") is ", +other, ", not ", +one,
                                     "; images ", a.codes.shape(), ", filters ", from.shape(), ", groups ", g.groups,
                                     ", stride ", g.stride.h, 'x', g.stride.w, ", dilation ", g.dilation.h, 'x',
                                     g.dilation.w);
        });
        if (!got.gaps_hold(fill) && first.empty())
            first = detail::text(isa::name, ": wrote outside the destination");
    };
    for_each_arch_of(
        [&](auto arch) {
            check(arch, a.plain(), packed, 1);
            check(arch, dense.plain(), packed, random.between(0, 1) == 0 ? 2 : 7);
            if (packed.transformed().steps != 0)
                check(arch, dense.plain(), direct, 1);
        },
        simd::every_arch{});
    return first;
}

} // namespace conv_cases
