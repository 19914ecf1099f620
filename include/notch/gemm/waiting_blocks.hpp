/// @file
/// Blocks of the tile before, which a microkernel finishes between its steps. Part of gemm/microkernel.hpp.
#pragma once

#include <notch/core/config.hpp>
#include <notch/gemm/finish_codes.hpp>
#include <notch/gemm/tile_work.hpp>
#include <notch/simd/code_bytes.hpp>
#include <notch/simd/int_kernels.hpp>

#include <cstddef>
#include <type_traits>

namespace notch::detail {

/// True for tiles that kernels finish while they compute the next one: the largest ones whose sums stay in
/// registers. Beside shifts of runs there are no units for it.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Panels>
[[nodiscard]] constexpr bool finishes_codes() noexcept {
    if constexpr (simd::has_code_bytes<Arch> && simd::int_ops<Arch>::count == 1 && Family != dot_family::chain) {
        using ops = simd::int_ops<Arch>;
        return Finish == dot_finish::once && Panels == ops::tile_panels && Panels == block_registers;
    } else {
        return false;
    }
}

/// Nothing is finished meanwhile.
struct nothing_waits {
    NOTCH_INLINE nothing_waits() noexcept = default;
    NOTCH_INLINE explicit nothing_waits(const tile_work& /*work*/) noexcept {}
    template <class Read> NOTCH_INLINE void step(const Read& /*read_again*/) noexcept {}
};

/// Blocks of the tile before this one, which are finished between the steps.
template <class Arch, std::size_t Panels> class waiting_blocks {
public:
    NOTCH_INLINE explicit waiting_blocks(const tile_work& work) noexcept : finish_(work.finish) { wait(); }
    /// Behind each step. `read_again` reads a pointer, whose register is free meanwhile: others
    /// would go to registers of vectors, and come back from there behind the products.
    template <class Read> NOTCH_INLINE void step(const Read& read_again) noexcept {
        if (--left_ == 0) [[unlikely]] { // or registers of the products would be moved
            const auto codes = codes_of_block<Arch>(*finish_);
            keep(finish_);
            store_block<Arch, Panels>(*finish_, codes);
            wait();
            read_again();
        }
    }

private:
    /// Lets go of a register: those of integers are for pointers.
    template <class T> static NOTCH_INLINE void keep(T& value) noexcept {
#if defined(__GNUC__)
        asm("" : "+m"(value));
#else
        static_cast<void>(value);
#endif
    }
    /// Begins to count.
    NOTCH_INLINE void wait() noexcept {
        std::size_t steps = finish_ != nullptr && !finish_->is_done() ? finish_->steps : ~std::size_t{0};
#if defined(__GNUC__)
        asm("" : "+r"(steps)); // not by way of a register of vectors
#endif
        left_ = steps;
        keep(left_);
        keep(finish_);
    }
    code_finish* finish_;
    std::size_t left_; ///< steps
};

/// What is finished between the steps.
template <class Arch, dot_family Family, dot_finish Finish, std::size_t Panels>
using waiting_kind =
    std::conditional_t<finishes_codes<Arch, Family, Finish, Panels>(), waiting_blocks<Arch, Panels>, nothing_waits>;

} // namespace notch::detail
