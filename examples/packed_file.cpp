// Weights are packed once, written to a file, and mapped by whoever runs them. Needs POSIX for mmap.
#include <notch/epilogue/shift_requantize.hpp>
#include <notch/gemm/gemm.hpp>
#include <notch/gemm/pack.hpp>
#include <notch/gemm/packed_file.hpp>
#include <notch/quant/fit.hpp>
#include <notch/quant/quantize.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

/// A file appears whole or not at all: it is written under another name first.
void write_whole(const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
    const std::filesystem::path temporary = path.string() + ".part";
    std::ofstream file(temporary, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file)
        throw std::runtime_error("cannot write " + temporary.string());
    std::filesystem::rename(temporary, path);
}

/// A file as memory, until the program ends. It begins at a page, so at a multiple of 64 bytes.
std::span<const std::byte> map(const std::filesystem::path& path) {
    const std::size_t size = std::filesystem::file_size(path);
    const int file = ::open(path.c_str(), O_RDONLY);
    const void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    ::close(file);
    if (memory == MAP_FAILED)
        throw std::runtime_error("cannot map " + path.string());
    return {static_cast<const std::byte*>(memory), size};
}

int run() {
    using w4 = notch::quantizer<notch::bits<4>, notch::per_group<32>, notch::power_of_two<>>;
    notch::dense_tensor<float, 2> weights({64, 256});
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights.data()[i] = static_cast<float>(notch::counter_uniform(1, i)) - 0.5F;
    const notch::packed_weights packed = notch::pack(notch::quantize<w4>(weights));
    const auto path = std::filesystem::temp_directory_path() / ("notch_fc1_" + std::to_string(::getpid()) + ".packed");
    write_whole(path, notch::packed_bytes(packed));

    const notch::packed_weights mapped = notch::packed_view(map(path), "fc1"); // checks everything, copies nothing
    std::filesystem::remove(path);                                             // what is mapped stays
    const notch::dense_tensor<std::uint8_t, 2> input({8, 256}, 100);
    notch::dense_tensor<std::int8_t, 2> output({8, 64});
    notch::dense_tensor<std::int8_t, 2> expected({8, 64});
    notch::gemm(input, mapped, notch::shift_requantize{2}, output);
    notch::gemm(input, packed, notch::shift_requantize{2}, expected);
    const bool equal = std::ranges::equal(output.elements(), expected.elements());
    std::printf("%zu bytes mapped, products %s\n", mapped.bytes().size(), equal ? "equal" : "different");
    return equal ? 0 : 1;
}

} // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& problem) { // notch::error is one
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
