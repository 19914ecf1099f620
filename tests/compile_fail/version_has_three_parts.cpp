// expect-error: NOTCH_VERSION_TWEAK
/// @file
/// The version has three parts. Asking for a fourth one is an error, not a silent zero.
#include <notch/version.hpp>

#if defined(NOTCH_EXPECT_OK)
constexpr int part = NOTCH_VERSION_PATCH;
#else
constexpr int part = NOTCH_VERSION_TWEAK;
#endif

static_assert(part >= 0);
