/// @file
/// Fuzzing of the readers of .npy and .npz: any bytes are arrays or an error of notch, and arrays come back from their bytes.
#include <notch/io/npy.hpp>
#include <notch/io/npz.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace {

void check_bytes(const notch::npy_array& array) {
    const auto bytes = notch::npy_bytes(array);
    const auto again = notch::npy_from_bytes(bytes);
    if (again.shape != array.shape || notch::npy_bytes(again) != bytes) {
        std::fprintf(stderr, "fuzz: another array after writing and reading\n");
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
    try {
        check_bytes(notch::npy_from_bytes(bytes));
    } catch (const notch::error&) {
    }
    try {
        for (const notch::npz_entry& entry : notch::npz_from_bytes(bytes))
            check_bytes(entry.array);
    } catch (const notch::error&) {
    }
    return 0;
}
