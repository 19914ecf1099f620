/// @file
/// Compiler facts, and the macros of the library (version.hpp has the version, executor_tbb.hpp NOTCH_HAS_TBB).
///
/// Everything else in notch is a type, a function or a constant. A macro lives here when the
/// language offers no other way: to force inlining, to ask whether exceptions exist, to check an internal
/// invariant in debug builds, and to reach three functions of the compiler.
#pragma once

/// Inlines a function into its caller whatever the optimizer's opinion. Kernels compiled for one
/// instruction set use it, so that no out-of-line copy can be merged with another translation unit's.
#if defined(__GNUC__) || defined(__clang__)
#define NOTCH_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define NOTCH_INLINE __forceinline
#else
#define NOTCH_INLINE inline
#endif

/// Keeps an error path out of the instruction cache of the code that checks for it.
#if defined(__GNUC__) || defined(__clang__)
#define NOTCH_COLD __attribute__((cold, noinline))
#else
#define NOTCH_COLD
#endif

/// 1 where `throw` exists, 0 under -fno-exceptions; there an error prints its text and aborts.
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define NOTCH_HAS_EXCEPTIONS 1
#else
#define NOTCH_HAS_EXCEPTIONS 0
#endif

/// Checks an invariant of notch itself in debug builds. What a caller can get wrong is never
/// checked by this macro: it is an error of core/error.hpp, in release builds too.
#if defined(NDEBUG)
#define NOTCH_ASSERT(condition) static_cast<void>(0)
#else
#include <cassert>
#define NOTCH_ASSERT(condition) assert(condition)
#endif

/// Asks for the cache line of an address that will be read soon; any address will do.
#if defined(__GNUC__) || defined(__clang__)
#define NOTCH_PREFETCH(address) __builtin_prefetch(address)
#else
#define NOTCH_PREFETCH(address) static_cast<void>(address)
#endif

/// Inlines a lambda into its caller; the attribute stands behind the parameter list.
#if defined(__GNUC__) || defined(__clang__)
#define NOTCH_LAMBDA_INLINE __attribute__((always_inline))
#else
#define NOTCH_LAMBDA_INLINE
#endif

/// Square root of a double; cmath costs a tenth of a second to compile.
#if defined(__GNUC__) || defined(__clang__)
#define NOTCH_SQRT(x) __builtin_sqrt(x)
/// Decimal logarithm of a double.
#define NOTCH_LOG10(x) __builtin_log10(x)
#else
#include <cmath>
#define NOTCH_SQRT(x) std::sqrt(x)
/// Decimal logarithm of a double.
#define NOTCH_LOG10(x) std::log10(x)
#endif
