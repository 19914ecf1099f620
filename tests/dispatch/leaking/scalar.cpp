/// @file
/// A unit that defines a function any other unit may define too; tests/dispatch/symbols.sh must find it.
namespace notch::simd {
struct scalar {};
} // namespace notch::simd

inline __attribute__((noinline)) int shared_by_accident(int x) { return x * x + 1; }

template <class Arch> int kernel(int x) { return shared_by_accident(x); }
template int kernel<notch::simd::scalar>(int x);
