/// @file
/// The command line of the network subcommands.
#include "../network_commands.hpp"
#include "../options.hpp"
#include "commands.hpp"
#include "recipe.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <system_error>
#include <thread>

namespace tool {

namespace {

struct subcommand {
    const char* name;
    const char* text;
    const char* example;
    void (*run)(const network_settings&);
};

constexpr std::array<subcommand, 7> subcommands = {{
    {"inspect", "Show the layers of an ONNX model, their shapes, and what they need per image.",
     "Example:\n  notch inspect resnet20.onnx --json resnet20.json", inspect},
    {"quantize", "Find the codes of a network and show the plan, layer by layer.",
     "Example:\n  notch quantize resnet20.onnx --calibration train.u8 --mean .485,.456,.406 --std .229,.224,.225 \\\n"
     "      --weights 4 --grain block:16x16 --save-recipe w4.json --export resnet20.w4.onnx",
     quantize},
    {"evaluate",
     "Run all images in floats, in a simulation of the plan, and in integers; compare accuracy, codes and time.",
     "Example:\n  notch evaluate resnet20.onnx --calibration train.u8 --images test.u8 --labels test_labels.u8 \\\n"
     "      --mean .485,.456,.406 --std .229,.224,.225 --weights 4 --json w4.json\n"
     "Without --labels there is no top-1, but the agreement with the float network and the SQNR of the results.\n"
     "The command fails if the simulation and the integer run differ in one code.",
     evaluate},
    {"sweep", "Show accuracy and SQNR against the number of scales, for several grains.",
     "Example:\n  notch sweep resnet20.onnx --calibration train.u8 --images test.u8 --labels test_labels.u8 \\\n"
     "      --mean .485,.456,.406 --std .229,.224,.225 --weights 4 --reorder --svg sweep.svg\n"
     "With --reorder, grains of blocks are measured with channels in their own order and reordered.",
     sweep},
    {"compare", "Show how far each layer is from the float network, from another setting, or from golden arrays.",
     "Examples:\n  notch compare net.onnx --calibration train.u8 --images test.u8 --weights 2\n"
     "  notch compare net.onnx --calibration train.u8 --images test.u8 --recipe a.json --other-recipe b.json\n"
     "  notch compare net.onnx --calibration train.u8 --images test.u8 --golden arrays.npz",
     compare},
    {"export", "Write the quantized network as an ONNX model with QuantizeLinear and DequantizeLinear.",
     "Example:\n  notch export resnet20.onnx resnet20.w4.onnx --calibration train.u8 --weights 4", export_model},
    {"bench", "Measure the latency per image of the float network and of W8A8, W4A8 and W2A8.",
     "Example:\n  notch bench resnet20.onnx --calibration train.u8 --json bench.json\n"
     "Without --calibration random pixels are taken: times do not depend on them, accuracy would.",
     bench},
}};

constexpr const char* recipe_text =
    "\n\nA recipe holds the same settings, with _ for -, and others for single layers (weights, activations, grain, "
    "fit):\n"
    "  {\"weights\": 4, \"grain\": \"group:32\", \"first_last\": 8, \"mean\": [0.485, 0.456, 0.406],\n"
    "   \"layers\": {\"conv1\": {\"weights\": 8, \"grain\": \"channel\"}}}\n"
    "Names of layers are those that notch quantize prints.";

/// A command line while it is read: flags win over the recipe, wherever they stand.
struct command_line {
    CLI::App app{"notch", "notch"};
    network_settings settings{};
    std::vector<named_value> flags{};
    std::map<std::string, std::string> switches{}; ///< those that were given have a value
};

void add_setting(command_line& line, CLI::App& to, const std::string& flag, const std::string& name,
                 const std::string& type, const std::string& text) {
    to.add_option_function<std::string>(
          flag,
          [&line, name](const std::string& value) {
              line.flags.push_back({name, value});
          },
          text)
        ->type_name(type);
}

/// A flag that stands alone, or takes a value behind =.
void add_switch(command_line& line, CLI::App& to, const std::string& flag, const std::string& name,
                const std::string& alone, const std::string& text) {
    to.add_flag(flag + "{" + alone + "}", line.switches[name], text);
}

void add_file(CLI::App& to, const std::string& flag, std::string& file, const std::string& text,
              bool required = false) {
    CLI::Option* option = to.add_option(flag, file, text)->type_name("FILE");
    option->check(
        [](const std::string& name) { return name.empty() ? std::string("a file without a name") : std::string(); });
    if (required)
        option->required();
}

void add_pixels(command_line& line, CLI::App& to) {
    add_setting(line, to, "--shape", "shape", "H,W,C",
                "extents of an image of raw bytes, checked against the network's (default: those)");
    add_setting(line, to, "--scale-input", "scale_input", "S",
                "the network takes (pixel * S - mean) / std (default 1/255)");
    add_setting(line, to, "--mean", "mean", "M,...", "one for each channel, or one for all (default 0)");
    add_setting(line, to, "--std", "std", "D,...", "one for each channel, or one for all (default 1)");
}

void add_quantization(command_line& line, CLI::App& to, bool is_calibrated) {
    const std::string raw = "raw uint8 [n, H, W, C], or .npy of that or of float32 [n, C, H, W]";
    add_file(to, "--calibration", line.settings.calibration, "images to find scales with: " + raw, is_calibrated);
    add_setting(line, to, "--calibration-images", "calibration_images", "N",
                "how many of them are taken (default 512)");
    add_setting(line, to, "--seed", "seed", "N",
                "draw the calibration images by this seed (default 0: take the first ones)");
    add_file(to, "--recipe", line.settings.recipe, "settings as JSON, see below; flags win over it");
    if (to.get_name() != "notch bench") { // which measures widths of its own
        add_setting(line, to, "--weights", "weights", "B", "bits of weights, 2 to 8 (default 8)");
        add_setting(line, to, "--activations", "activations", "B", "bits of activations, 2 to 8 (default 8)");
    }
    if (to.get_name() == "notch sweep")
        add_setting(line, to, "--grain", "grains", "G,...",
                    "grains to compare (default tensor, blocks of 64x64 to 4x4, channel, kernel)");
    else
        add_setting(line, to, "--grain", "grain", "G",
                    "weights that share a scale: tensor, channel, group:32, block:16x16, kernel (default channel)");
    add_setting(line, to, "--scale", "scale", "KIND",
                "pot: powers of two; fixed: multiplier and shift; real: floats (default pot)");
    add_setting(
        line, to, "--observer", "observer", "RULE",
        "range of activations: minmax, percentile, mse, kl, kl-masked, kl-penalised, or the one of these that the "
        "layers behind notice least: results (default mse)");
    add_setting(line, to, "--fit", "fit", "RULE",
                "scales of weights: minmax, mse, or for the least error of a layer's results: results (default mse)");
    add_setting(line, to, "--rounding", "rounding", "RULE",
                "of weights: nearest, or for the least error of a layer's results: results (default nearest)");
    add_setting(
        line, to, "--split", "split", "TAPS:B",
        "weights in a coarse and a fine part: centre:4, peak:4 or all:4, 4 bits of the coarse part (default none)");
    add_setting(line, to, "--split-scale", "split_scale", "G", "of the coarse part: channel, tensor (default channel)");
    add_setting(line, to, "--split-gain", "split_gain", "DB", "what a layer must gain to be split (default 3)");
    add_switch(
        line, to, "--rescale", "rescale", "least-noise",
        "rescale channels between layers; --rescale=mutual or =equalize: by another rule; =results: by what measures "
        "best; with -pot by powers of two");
    add_switch(line, to, "--absorb", "absorb", "yes", "move biases that ReLUs let pass behind them");
    add_switch(line, to, "--reorder", "reorder", "evolution",
               "reorder channels for blocks; --reorder=sort or =greedy: faster");
    add_setting(line, to, "--in-order", "in_order", "yes|no",
                "results are those of layers behind quantized ones; no: behind float ones (default yes)");
    add_setting(line, to, "--method-images", "method_images", "N",
                "calibration images that methods look at (default 128; --rescale=results: 64 of them at most)");
    add_setting(line, to, "--first-last", "first_last", "B",
                "bits of the first and the last layer, 0: as the others (default 8)");
    add_setting(line, to, "--residual", "residual", "B", "bits of a tensor that is only added to another (default 8)");
    add_setting(line, to, "--bias-correction", "bias_correction", "N",
                "correct biases on N calibration images (default 0: do not)");
}

void add_options(command_line& line, CLI::App& to) {
    const std::string name = to.get_name().substr(6);
    network_settings& settings = line.settings;
    to.add_option("MODEL", settings.model, "ONNX model of a convolutional network")->required()->type_name("");
    if (name == "export")
        to.add_option("FILE", settings.onnx, "ONNX model to write")->required()->type_name("");
    const bool takes_plan = name == "evaluate" || name == "export";
    if (name != "inspect")
        add_quantization(line, to, name != "bench" && !takes_plan);
    if (takes_plan)
        add_file(to, "--plan", line.settings.plan,
                 "a plan of notch quantize --save-plan, instead of --calibration and what follows from it");
    if (name != "inspect") {
        add_pixels(line, to);
        add_setting(line, to, "--threads", "threads", "N", "1 to 256 (default: as many as the machine has)");
    }
    if (name == "evaluate" || name == "compare" || name == "sweep")
        add_file(to, "--images", settings.images, "images to run", true);
    if (name == "evaluate" || name == "sweep")
        add_file(to, "--labels", settings.labels, "a byte for each image, or .npy of integers");
    if (name == "sweep")
        add_file(to, "--svg", settings.svg, "write the plot as a picture");
    if (name == "evaluate") {
        to.add_flag("--steps", settings.steps, "evaluate after each step of the methods, too");
        add_setting(line, to, "--simulate", "simulate", "N", "simulate the first N images only");
    }
    if (name == "compare") {
        add_file(to, "--other-recipe", settings.other_recipe, "compare with these settings instead of floats");
        add_file(to, "--golden", settings.golden,
                 "compare with arrays [n, ...] of a folder of .npy files or an .npz, named as tensors or layers");
        to.get_option("--golden")->excludes("--other-recipe");
    }
    if (name == "bench")
        add_setting(line, to, "--seconds", "seconds", "N", "time to measure, 1 to 3600 (default 10)");
    if (name == "quantize") {
        add_file(to, "--save-recipe", settings.save_recipe, "write the settings as a recipe");
        add_file(to, "--save-plan", settings.save_plan, "write the plan, for --plan of evaluate and export");
        add_file(to, "--export", settings.onnx, "write a QDQ model in ONNX");
    }
    if (name == "quantize" || name == "evaluate")
        add_file(to, "--report", settings.html, "write a report as one HTML file");
    if (name != "export")
        add_file(to, "--json", settings.json, "write the numbers as JSON");
}

/// A flag that is no setting of a recipe.
void apply_flag(network_settings& settings, const std::string& what, const named_value& flag) {
    if (flag.name == "threads") {
        settings.threads = parse_number(what, flag.value, 1, 256);
    } else if (flag.name == "simulate") {
        settings.simulate = parse_number(what, flag.value, 0, ~std::uint64_t{0});
    } else if (flag.name == "seconds") {
        settings.seconds = parse_number(what, flag.value, 1, 3600);
    } else if (flag.name == "grains") {
        settings.grains = parse_grains(what, flag.value);
    } else if (flag.name == "shape") {
        settings.shape = parse_extents(what, flag.value);
    } else {
        apply(settings, what, flag);
    }
}

[[nodiscard]] std::string flag_of(std::string name) {
    if (name == "grains")
        return "--grain";
    std::replace(name.begin(), name.end(), '_', '-');
    return "--" + name;
}

/// Whether two names are one file, there or not yet.
[[nodiscard]] bool is_same_file(const std::string& a, const std::string& b) {
    namespace fs = std::filesystem;
    std::error_code code;
    if (fs::equivalent(a, b, code))
        return true;
    const fs::path first = fs::weakly_canonical(fs::absolute(a, code), code);
    const fs::path second = fs::weakly_canonical(fs::absolute(b, code), code);
    return a == b || (!first.empty() && first == second);
}

/// A flag that stands twice says two things.
void check_once(const std::string& name, std::span<const char* const> words) {
    std::set<std::string> seen;
    for (const std::string word : words) {
        const std::string flag = word.substr(0, word.find('='));
        if (flag.starts_with("--") && flag.size() > 2 && !seen.insert(flag).second)
            throw usage_error("notch " + name + ": " + flag + " is given twice");
    }
}

/// Raises usage_error where a file cannot be written for lack of its folder, before hours of work are lost.
void check_folder(const std::string& name, const named_value& file) {
    namespace fs = std::filesystem;
    std::error_code code;
    const fs::path path(file.value);
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (fs::is_directory(path, code))
        throw usage_error("notch " + name + ": " + file.name + " '" + file.value + "' is a folder");
    if (!fs::is_directory(folder, code))
        throw usage_error("notch " + name + ": " + file.name + " '" + file.value + "': there is no folder '" +
                          folder.string() + "'");
}

/// Two files that are written must differ, and none may be one that is read.
void check_files(const std::string& name, const network_settings& settings) {
    const std::vector<named_value> written{{"--json", settings.json},           {"--save-recipe", settings.save_recipe},
                                           {"--save-plan", settings.save_plan}, {"the ONNX model", settings.onnx},
                                           {"--report", settings.html},         {"--svg", settings.svg}};
    std::vector<named_value> seen{{"MODEL", settings.model},     {"--calibration", settings.calibration},
                                  {"--images", settings.images}, {"--labels", settings.labels},
                                  {"--recipe", settings.recipe}, {"--other-recipe", settings.other_recipe},
                                  {"--golden", settings.golden}, {"--plan", settings.plan}};
    for (const named_value& each : written) {
        if (each.value.empty())
            continue;
        for (const named_value& other : seen)
            if (!other.value.empty() && is_same_file(each.value, other.value))
                throw usage_error("notch " + name + ": " + each.name + " and " + other.name + " name the same file, '" +
                                  each.value + "'");
        check_folder(name, each);
        seen.push_back(each);
    }
}

/// Settings of pixels, which no plan holds.
[[nodiscard]] bool is_of_pixels(const std::string& setting) {
    return setting == "scale_input" || setting == "mean" || setting == "std" || setting == "shape";
}

/// A plan of a file takes the place of everything that makes one.
void check_plan(const std::string& name, const command_line& line) {
    const network_settings& settings = line.settings;
    const auto refuse = [&](const std::string& what) { throw usage_error("notch " + name + ": " + what); };
    if (settings.plan.empty()) {
        if (settings.calibration.empty())
            refuse("--calibration or --plan is required");
        return;
    }
    const char* rest = " has been decided in the plan; leave it out, or leave out --plan";
    if (!settings.calibration.empty())
        refuse(std::string("--calibration") + rest);
    if (settings.steps || !settings.html.empty())
        refuse(std::string(settings.steps ? "--steps" : "--report") +
               " needs --calibration; it cannot be told from a plan");
    for (const auto& [flag, value] : line.switches)
        if (!value.empty())
            refuse(flag_of(flag) + rest);
    if (name == "export" && !settings.recipe.empty())
        refuse(std::string("--recipe") + rest);
    for (const named_value& flag : line.flags) {
        if (name == "export" && is_of_pixels(flag.name))
            refuse(flag_of(flag.name) + " changes nothing: no pixels enter a plan");
        if (!is_of_pixels(flag.name) && flag.name != "threads" && flag.name != "simulate")
            refuse(flag_of(flag.name) + rest);
    }
}

[[nodiscard]] network_settings settings_of(const std::string& name, command_line& line) {
    network_settings settings = line.settings;
    if (name == "evaluate" || name == "export")
        check_plan(name, line);
    settings.threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 256);
    check_files(name, settings);
    if (!settings.recipe.empty())
        read_recipe(settings, settings.recipe);
    for (const auto& [flag, value] : line.switches)
        if (!value.empty())
            line.flags.push_back({flag, value});
    for (const named_value& flag : line.flags)
        try {
            apply_flag(settings, flag_of(flag.name), flag);
        } catch (const std::runtime_error& problem) {
            throw usage_error("notch " + name + ": " + problem.what());
        }
    return settings;
}

} // namespace

bool is_network_command(std::string_view word) {
    return std::any_of(subcommands.begin(), subcommands.end(), [&](const subcommand& s) { return s.name == word; });
}

void run_network_command(std::span<const char* const> arguments) {
    const std::string name = arguments[0];
    const subcommand& chosen =
        *std::find_if(subcommands.begin(), subcommands.end(), [&](const subcommand& s) { return s.name == name; });
    command_line line;
    line.app.name("notch " + name);
    line.app.description(chosen.text);
    line.app.footer(std::string(chosen.example) + (name == "inspect" ? "" : recipe_text));
    line.app.get_formatter()->column_width(34);
    CLI::App& app = line.app;
    app.set_help_flag("-h,--help", "this text");
    add_options(line, app);
    check_once(name, arguments.subspan(1));
    std::vector<std::string> words(arguments.rbegin(), arguments.rend() - 1); // CLI takes them from the end
    try {
        app.parse(words);
    } catch (const CLI::CallForHelp&) {
        std::fputs(app.help().c_str(), stdout);
        return;
    } catch (const CLI::ParseError& problem) {
        throw usage_error("notch " + name + ": " + problem.what() + "; try notch " + name + " --help");
    }
    chosen.run(settings_of(name, line));
}

} // namespace tool
