/// @file
/// draw_shapes: writes labelled images, for training and for tests.
///
/// Exit codes: 0 success, 1 failure, 2 a command line that cannot be obeyed.
#include "draw_shapes.hpp"

#include "../option_list.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

constexpr const char* help_text =
    R"(draw_shapes: labelled images of ten shapes, the same bytes on every machine

  draw_shapes [options], as --name value or --name=value:

  --seed N        which images, 0 to 18446744073709551615 (1)
  --count N       how many, 1 to 1000000 (1000)
  --images FILE   write their bytes: [image, 32 rows, 32 columns, red green blue]
  --labels FILE   write a byte for each image, 0 to 9
  --sheet FILE    write a picture of the first 400, twenty in a row, as PPM
  --help          this text

At least one file must be named. The labels 0 to 9 are
)";

const tool::option_list list{"draw_shapes", "draw_shapes --help"};

/// What is asked for; a file that is not wanted has an empty name.
struct draw_options {
    std::uint64_t seed = 1;
    std::uint64_t count = 1000;
    std::string images;
    std::string labels;
    std::string sheet;
};

draw_options parse(std::span<const char* const> arguments) {
    draw_options options;
    constexpr std::string_view known[] = {"--seed", "--count", "--images", "--labels", "--sheet"};
    list.read(arguments, known, [&](std::string_view name, std::string_view value) {
        if (name == "--seed")
            options.seed = list.number(name, value, 0, std::numeric_limits<std::uint64_t>::max());
        else if (name == "--count")
            options.count = list.number(name, value, 1, 1'000'000);
        else
            (name == "--images"   ? options.images
             : name == "--labels" ? options.labels
                                  : options.sheet) = list.file(name, value);
    });
    if (options.images.empty() && options.labels.empty() && options.sheet.empty())
        list.refuse("a file to write is missing: --images, --labels or --sheet; try draw_shapes --help");
    list.require_different("--images", options.images, "--labels", options.labels);
    list.require_different("--images", options.images, "--sheet", options.sheet);
    list.require_different("--labels", options.labels, "--sheet", options.sheet);
    return options;
}

/// A file that appears whole or not at all: it is written under another name first. Without a name nothing is written.
class output {
public:
    explicit output(std::string name) : name_(std::move(name)) {
        if (!name_.empty())
            file_.open(part(), std::ios::binary);
        check();
    }
    output(const output&) = delete;
    output& operator=(const output&) = delete;
    ~output() {
        file_.close();
        std::error_code ignored;
        if (!name_.empty())
            std::filesystem::remove(part(), ignored); // what finish() did not rename
    }

    void write(std::span<const std::uint8_t> bytes) {
        if (!name_.empty())
            file_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }

    void finish() {
        if (name_.empty())
            return;
        file_.close();
        check();
        std::error_code problem;
        std::filesystem::rename(part(), name_, problem);
        if (problem)
            throw std::runtime_error("cannot write '" + name_ + "'");
    }

private:
    [[nodiscard]] std::string part() const { return name_ + ".part"; }

    void check() const {
        if (!file_)
            throw std::runtime_error("cannot write '" + name_ + "'");
    }

    std::string name_;
    std::ofstream file_;
};

/// Images side by side, with white lines between them.
class contact_sheet {
public:
    static constexpr std::size_t across = 20;
    static constexpr std::size_t most = 400;

    explicit contact_sheet(std::size_t images)
        : width_(std::min(images, across) * cell + gap), height_((images + across - 1) / across * cell + gap),
          pixels_(width_ * height_ * shapes::image_channels, std::uint8_t{255}) {}

    void add(std::size_t position, const shapes::image& image) {
        constexpr std::size_t row_bytes = shapes::image_side * shapes::image_channels;
        for (std::size_t row = 0; row < shapes::image_side; ++row) {
            const std::size_t y = position / across * cell + gap + row;
            const std::size_t x = position % across * cell + gap;
            std::copy_n(image.data() + row * row_bytes, row_bytes,
                        pixels_.data() + (y * width_ + x) * shapes::image_channels);
        }
    }

    void write(output& file) const {
        const std::string head = "P6\n" + std::to_string(width_) + " " + std::to_string(height_) + "\n255\n";
        file.write(std::vector<std::uint8_t>(head.begin(), head.end()));
        file.write(pixels_);
    }

private:
    static constexpr std::size_t gap = 2;
    static constexpr std::size_t cell = shapes::image_side + gap;
    std::size_t width_;
    std::size_t height_;
    std::vector<std::uint8_t> pixels_;
};

void run(std::span<const char* const> arguments) {
    for (const std::string_view argument : arguments) {
        if (argument == "--help" || argument == "-h") {
            std::fputs(help_text, stdout);
            for (const std::string_view name : shapes::class_names)
                std::printf("%s%s", name == shapes::class_names.front() ? "" : ", ", std::string(name).c_str());
            std::puts(".");
            return;
        }
    }
    const draw_options options = parse(arguments);
    output images(options.images);
    output labels(options.labels);
    output sheet_file(options.sheet);
    contact_sheet sheet(std::min<std::size_t>(options.count, contact_sheet::most));
    const bool only_sheet = options.images.empty() && options.labels.empty();
    for (std::size_t i = 0; i < options.count && (i < contact_sheet::most || !only_sheet); ++i) {
        const shapes::labelled_image drawn = shapes::draw(options.seed, i);
        images.write(drawn.pixels);
        labels.write({&drawn.label, 1});
        if (i < contact_sheet::most)
            sheet.add(i, drawn.pixels);
    }
    sheet.write(sheet_file);
    images.finish();
    labels.finish();
    sheet_file.finish();
}

} // namespace

int main(int argc, char** argv) {
    try {
        run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
        if (std::fflush(stdout) != 0) {
            std::fputs("draw_shapes: cannot write to standard output\n", stderr);
            return 1;
        }
        return 0;
    } catch (const tool::usage_error& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 2;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "draw_shapes: %s\n", problem.what());
        return 1;
    }
}
