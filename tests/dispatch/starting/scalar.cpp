/// @file
/// A unit with code that runs before main, on any processor; tests/dispatch/symbols.sh must find it.
namespace notch::simd {
struct scalar {};
} // namespace notch::simd

int ask();
template <class Arch> int answer = ask();
template int answer<notch::simd::scalar>;

static const int early = ask();
template <class Arch> int kernel(int x) { return early + x; }
template int kernel<notch::simd::scalar>(int x);
