/// @file
/// Work that is held against the arithmetic peak of the machine.
#pragma once

#include "peak.hpp"
#include "rows.hpp"

namespace bench {

/// Compares with the arithmetic peak; a call does `task.operations`.
inline void use_peak(work& task, arithmetic kind, int threads) {
    const arithmetic_peak& peak = fastest(kind);
    if (peak.loop == nullptr)
        return;
    task.peak = [peak] { peak(); };
    task.peak_name = peak.name;
    task.units = task.operations;
    task.peak_units = peak.operations() * threads;
}

} // namespace bench
