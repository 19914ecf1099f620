/// @file
/// notch: a command that quantizes networks, runs them, and shows what the library does.
///
/// Exit codes: 0 success, 1 failure, 2 a command line that cannot be obeyed.
#include "grains.hpp"
#include "network_commands.hpp"
#include "options.hpp"
#include "report.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <notch/simd/arch.hpp>
#include <notch/version.hpp>
#include <span>
#include <string_view>

namespace {

constexpr const char* help_text =
    R"(notch: quantizes neural networks and runs them in integers

  notch inspect MODEL      layers of an ONNX model, shapes, MACs, bytes
  notch quantize MODEL     find scales and codes; show the plan, save it, export it
  notch evaluate MODEL     accuracy and time in floats, simulated and in integers
  notch sweep MODEL        accuracy against the number of scales
  notch compare MODEL      differences layer by layer
  notch export MODEL FILE  the quantized network as an ONNX model
  notch bench MODEL        latencies of 8, 4 and 2 bits
  notch grains [options]   quantize one weight tensor at every granularity and compare
  notch info               compiler and instruction set of this program
  notch --version          the version of the library
  notch --help             this text; notch evaluate --help says what evaluate takes, and so on

Exit codes: 0 success, 1 wrong input, 2 a command line that cannot be obeyed.

Options of notch grains, as --name value or --name=value:

  --rows N       output channels, 1 to 65536 (256)
  --cols N       input channels, 1 to 65536 (256)
  --kernel K     taps of the kernel along one axis, 1 to 31 (3)
  --bits B       bits of a weight: 2, 3, 4 or 8 (4)
  --scale KIND   real: a float; pot: a power of two; fixed: a 32-bit multiplier and a shift (pot)
  --seed S       which random weights, 0 to 18446744073709551615 (1)
  --svg FILE     write a plot
  --json FILE    write the numbers
  --help         this text

The weights are normally distributed, with log-normal gains of rows and columns; there are at most 67108864.
Every block takes the scale of least square error among those that are tried; the table says which.
)";

void print_info() {
    std::printf("notch %d.%d.%d\n", NOTCH_VERSION_MAJOR, NOTCH_VERSION_MINOR, NOTCH_VERSION_PATCH);
    std::printf("instruction set  %s\n", notch::simd::default_arch::name);
#if defined(__clang__)
    std::printf("compiler         %s\n", __VERSION__);
#elif defined(__GNUC__)
    std::printf("compiler         GCC %s\n", __VERSION__);
#else
    std::printf("compiler         unknown\n");
#endif
    std::printf("language         C++ %ld\n", static_cast<long>(__cplusplus));
#if defined(NDEBUG)
    std::printf("assertions       off\n");
#else
    std::printf("assertions       on\n");
#endif
}

void run_grains(std::span<const char* const> arguments) {
    const tool::grains_options options = tool::parse_grains(arguments);
    const auto table = tool::measure_grains(options);
    std::fputs(tool::table_text(options, table).c_str(), stdout);
    if (!options.svg.empty())
        tool::write_file(options.svg, tool::svg_text(options, table));
    if (!options.json.empty())
        tool::write_file(options.json, tool::json_text(options, table));
}

void run(std::span<const char* const> arguments) {
    if (arguments.empty())
        throw tool::usage_error("notch: a command is missing; try notch --help");
    const std::string_view command = arguments[0];
    const auto asks_for_help = [](std::string_view argument) { return argument == "--help" || argument == "-h"; };
    if ((command == "grains" || command == "info") &&
        std::any_of(arguments.begin() + 1, arguments.end(), asks_for_help)) {
        std::fputs(help_text, stdout);
        return;
    }
    if (command == "grains")
        return run_grains(arguments.subspan(1));
    if (tool::is_network_command(command))
        return tool::run_network_command(arguments);
    if (command != "--version" && command != "--help" && command != "-h" && command != "info")
        throw tool::usage_error("notch: there is no command '" + std::string(command) + "'; try notch --help");
    if (arguments.size() > 1)
        throw tool::usage_error("notch " + std::string(command) + ": '" + arguments[1] + "' is one argument too many");
    if (command == "--version")
        std::printf("notch %d.%d.%d\n", NOTCH_VERSION_MAJOR, NOTCH_VERSION_MINOR, NOTCH_VERSION_PATCH);
    else if (command == "info")
        print_info();
    else
        std::fputs(help_text, stdout);
}

} // namespace

int main(int argc, char** argv) {
#if defined(SIGXFSZ)
    std::signal(SIGXFSZ, SIG_IGN); // a limit of the size of files is an error of the write, which takes its file back
#endif
    try {
        run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
        if (std::fflush(stdout) != 0) {
            std::fputs("notch: cannot write to standard output\n", stderr);
            return 1;
        }
        return 0;
    } catch (const tool::usage_error& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 2;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "notch: %s\n", problem.what());
        return 1;
    }
}
