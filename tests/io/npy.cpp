/// @file
/// .npy and .npz files: the bytes that NumPy writes, and bytes that nobody should.
#include "catch.hpp"

#include <notch/io/npy.hpp>
#include <notch/io/npz.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

namespace {

using extents = std::vector<std::size_t>;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string text_of(const std::vector<std::byte>& bytes) {
    std::string result;
    for (const std::byte byte : bytes)
        result += static_cast<char>(byte);
    return result;
}

/// A .npy file of a dictionary and elements.
std::string file(const std::string& dictionary, const std::string& elements, int version = 1) {
    std::string result = "\x93NUMPY";
    result += static_cast<char>(version);
    result += '\0';
    const std::string head = dictionary + "\n";
    for (unsigned i = 0; i < (version == 1 ? 2U : 4U); ++i)
        result += static_cast<char>(head.size() >> (8 * i) & 0xff);
    return result + head + elements;
}

void refuses(const std::string& bytes, const std::string& words) {
    CHECK_THROWS_WITH(notch::npy_from_bytes(bytes_of(bytes)), containing(words));
}

/// An archive of stored entries, as numpy.savez writes it.
struct archive {
    struct entry {
        std::string name;
        std::string data;
        std::uint32_t sum;
        std::uint32_t size;
        std::uint32_t local;
        unsigned method;
        unsigned flags;
    };
    std::vector<entry> entries{};

    static std::string number(std::uint64_t value, unsigned size) {
        std::string result;
        for (unsigned i = 0; i < size; ++i)
            result += static_cast<char>(value >> (8 * i) & 0xff);
        return result;
    }
    entry& add(const std::string& name, const std::string& data) {
        entries.push_back(
            {name, data, notch::detail::crc32(bytes_of(data)), static_cast<std::uint32_t>(data.size()), 0, 0, 0});
        std::uint32_t at = 0;
        for (entry& each : entries) {
            each.local = at;
            at += static_cast<std::uint32_t>(30 + each.name.size() + 20 + each.data.size());
        }
        return entries.back();
    }
    [[nodiscard]] std::string bytes(const std::string& comment = "") const {
        std::string result;
        for (const entry& each : entries) // the sizes are in an extra field of 20 bytes, as NumPy has it
            result += number(0x04034b50, 4) + std::string(22, '\xff') + number(each.name.size(), 2) + number(20, 2) +
                      each.name + std::string(20, '\0') + each.data;
        const std::size_t list = result.size();
        for (const entry& each : entries)
            result += number(0x02014b50, 4) + number(0, 4) + number(each.flags, 2) + number(each.method, 2) +
                      number(0, 4) + number(each.sum, 4) + number(each.size, 4) + number(each.size, 4) +
                      number(each.name.size(), 2) + std::string(12, '\0') + number(each.local, 4) + each.name;
        const std::size_t size = result.size() - list;
        result += number(0x06054b50, 4) + number(0, 4) + number(entries.size(), 2) + number(entries.size(), 2) +
                  number(size, 4) + number(list, 4) + number(comment.size(), 2) + comment;
        return result;
    }
};

const std::string two_bytes = file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\x05\x07");

} // namespace

TEST_CASE("An array is written as NumPy writes it", "[npy]") {
    // numpy.save of numpy.array([[1, 2, 3], [4, 5, -6]], dtype)
    const std::string tail = "', 'fortran_order': False, 'shape': (2, 3), }";
    const auto golden = [&](const std::string& descr) {
        std::string head = "\x93NUMPY\x01";
        head += '\0';
        head += '\x76';
        head += '\0';
        head += "{'descr': '" + descr + tail;
        return head + std::string(127 - head.size(), ' ') + "\n";
    };
    const auto check = [&](const notch::npy_values& values, const std::string& descr, const std::string& elements) {
        const notch::npy_array array{{2, 3}, values};
        const std::vector<std::byte> bytes = notch::npy_bytes(array);
        CHECK(text_of(bytes) == golden(descr) + elements);
        const notch::npy_array again = notch::npy_from_bytes(bytes);
        CHECK(again.shape == extents{2, 3});
        CHECK(again.values == values);
    };
    check(std::vector<std::int8_t>{1, 2, 3, 4, 5, -6}, "|i1", "\x01\x02\x03\x04\x05\xfa");
    check(std::vector<std::uint8_t>{1, 2, 3, 4, 5, 250}, "|u1", "\x01\x02\x03\x04\x05\xfa");
    check(std::vector<std::int16_t>{1, 2, 3, 4, 5, -6}, "<i2", std::string("\1\0\2\0\3\0\4\0\5\0\xfa\xff", 12));
    check(std::vector<std::int32_t>{1, 2, 3, 4, 5, -6}, "<i4",
          std::string("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\xfa\xff\xff\xff", 24));
    check(std::vector<std::int64_t>{1, 0, 0, 0, 0, -6}, "<i8",
          std::string("\1", 1) + std::string(39, '\0') + "\xfa\xff\xff\xff\xff\xff\xff\xff");
    check(std::vector<float>{1, 2, 3, 4, 5, -6}, "<f4",
          std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc0\xc0", 24));
    check(std::vector<double>{1, 0, 0, 0, 0, -6}, "<f8",
          std::string("\0\0\0\0\0\0\xf0\x3f", 8) + std::string(32, '\0') + std::string("\0\0\0\0\0\0\x18\xc0", 8));
}

TEST_CASE("Extents are written as tuples", "[npy]") {
    const auto head = [](const extents& shape, std::size_t count) {
        return text_of(notch::npy_bytes({shape, std::vector<std::int8_t>(count)}));
    };
    CHECK_THAT(head({}, 1), containing("'shape': (), }"));
    CHECK_THAT(head({3}, 3), containing("'shape': (3,), }"));
    CHECK_THAT(head({0, 7}, 0), containing("'shape': (0, 7), }"));
    CHECK_THAT(head({1, 2, 3}, 6), containing("'shape': (1, 2, 3), }"));
    for (std::size_t digits = 1; digits < 1000000000; digits *= 10)
        CHECK(notch::npy_bytes({{0, digits, digits, digits, digits, digits}, std::vector<std::int8_t>()}).size() % 64 ==
              0);
    CHECK_THROWS_WITH(head({2, 2}, 3), containing("an array of extents [2, 2] has 3 elements"));
    CHECK_THROWS_WITH(head(extents(33, 1), 1), containing("an array of 33 axes"));
}

TEST_CASE("Headers of all versions and spellings are read", "[npy]") {
    const std::string elements("\1\2\3\4\5\6", 6);
    const int version = GENERATE(1, 2, 3);
    const std::string dictionary = GENERATE("{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }",
                                            "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3)}",
                                            "{ \"shape\":(2,3,),\"fortran_order\":False,\"descr\":\"|i1\"}     \n   ");
    const notch::npy_array array = notch::npy_from_bytes(bytes_of(file(dictionary, elements, version)));
    CHECK(array.shape == extents{2, 3});
    CHECK(std::get<std::vector<std::int8_t>>(array.values) == std::vector<std::int8_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("Fortran's order is turned into rows", "[npy]") {
    std::string elements;
    for (char c = 0; c < 24; ++c)
        elements += c;
    const notch::npy_array array = notch::npy_from_bytes(
        bytes_of(file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", elements)));
    const auto& values = std::get<std::vector<std::uint8_t>>(array.values);
    for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            for (std::size_t k = 0; k < 4; ++k)
                CHECK(values[(i * 3 + j) * 4 + k] == i + 2 * j + 6 * k);
}

TEST_CASE("Numbers without axes and arrays without elements are read", "[npy]") {
    const notch::npy_array one =
        notch::npy_from_bytes(bytes_of(file("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "\x09")));
    CHECK(one.shape.empty());
    CHECK(notch::to_floats(one).values == std::vector<float>{9});
    const notch::npy_array none = notch::npy_from_bytes(bytes_of(file(
        "{'descr': '<f8', 'fortran_order': True, 'shape': (18446744073709551615, 0, 18446744073709551615), }", "")));
    CHECK(std::get<std::vector<double>>(none.values).empty());
}

TEST_CASE("Bytes that are no array are told", "[npy]") {
    for (std::size_t size = 0; size < two_bytes.size(); ++size)
        CHECK_THROWS_AS(notch::npy_from_bytes(bytes_of(two_bytes.substr(0, size))), notch::format_error);
    refuses("PK\x03\x04", "they do not begin with the letters of a .npy file");
    refuses(two_bytes + "x", "an array of extents [2] has 3 bytes; each of 2 elements takes 1");
    refuses(file("{}", "", 4), "version 4.0; 1.0, 2.0 and 3.0 are read");
    refuses(file("{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", ""),
            "has 0 bytes; each of 18446744073709551615 elements");
    refuses(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,), }", "1234"), "has 4 bytes");
    refuses(file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "12345"), "has 5 bytes");
    refuses(file("{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551616,), }", ""),
            "does not fit 64 bits");
    refuses(file("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }", ""), "something that is no extent");
    refuses(file("{'descr': '|u1', 'fortran_order': False, 'shape': (2), }", "12"), "is no tuple");
    refuses(
        file("{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
             "1,1,1,1,1,1,1), }",
             "1"),
        "more than 32 axes");
    refuses(file("{'descr': '|u1', 'shape': (2,), }", "12"), "lacks one of descr, fortran_order and shape");
    refuses(file("{'descr': '|u1', 'descr': '|u1', }", ""), "has the key 'descr' twice");
    refuses(file("{'other': '|u1', }", ""), "has the key 'other', which is unknown");
    refuses(file("{'descr': '|u1', 'fortran_order': Maybe, }", ""), "neither True nor False");
    refuses(file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), } + 1", "12"), "goes on behind");
    refuses(file("{'descr': '|u1", ""), "has no text");
    refuses(file("", ""), "lacks a '{'");
    refuses(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", ""),
            "arrays of records are not read");
    refuses(file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "1234"), "elements of type '>f4'");
}

TEST_CASE("Archives of stored arrays are read", "[npy]") {
    archive zip;
    zip.add("a.npy", two_bytes);
    zip.add("b.npy", text_of(notch::npy_bytes({{1}, std::vector<float>{0.5F}})));
    SECTION("whole") {
        const auto entries = notch::npz_from_bytes(bytes_of(zip.bytes(GENERATE("", "a comment"))));
        REQUIRE(entries.size() == 2);
        CHECK(entries[0].name == "a");
        CHECK(std::get<std::vector<std::uint8_t>>(entries[0].array.values) == std::vector<std::uint8_t>{5, 7});
        CHECK(entries[1].name == "b");
        CHECK(std::get<std::vector<float>>(entries[1].array.values) == std::vector<float>{0.5F});
    }
    SECTION("empty") { CHECK(notch::npz_from_bytes(bytes_of(archive().bytes())).empty()); }
    SECTION("every part of one") {
        const std::string all = zip.bytes();
        for (std::size_t size = 0; size < all.size(); ++size)
            CHECK_THROWS_AS(notch::npz_from_bytes(bytes_of(all.substr(0, size))), notch::format_error);
    }
}

TEST_CASE("Archives that are damaged, compressed or deceitful are told", "[npy]") {
    archive zip;
    zip.add("a.npy", two_bytes);
    archive::entry& entry = zip.add("b.npy", two_bytes);
    const auto refuse = [&](const std::string& words) {
        CHECK_THROWS_WITH(notch::npz_from_bytes(bytes_of(zip.bytes())), containing(words));
    };
    SECTION("compressed") {
        entry.method = 8;
        refuse("archive: entry 'b.npy' is compressed by method 8; numpy.savez stores");
    }
    SECTION("encrypted") {
        entry.flags = 1;
        refuse("entry 'b.npy' is encrypted");
    }
    SECTION("damaged") {
        entry.sum ^= 1;
        refuse("entry 'b.npy' is damaged: its checksum is");
    }
    SECTION("too long") {
        entry.size = 100000;
        refuse("entry 'b.npy' of 100000 bytes ends behind the file");
    }
    SECTION("beyond 4 GiB") {
        entry.size = 0xffffffff;
        refuse("entry 'b.npy' is beyond 4 GiB");
    }
    SECTION("elsewhere") {
        entry.local = 1;
        refuse("entry 'b.npy' is not at 1");
    }
    SECTION("one name") {
        entry.name = "a.npy";
        refuse("two entries are named 'a'");
    }
    SECTION("no array") {
        entry.name = "b.txt";
        refuse("entry 'b.txt' is no .npy file");
    }
    SECTION("many entries over the same bytes") {
        for (int i = 0; i < 3; ++i) {
            zip.entries.push_back(zip.entries[0]);
            zip.entries.back().name = std::string(1, static_cast<char>('c' + i)) + ".npy";
            zip.entries.back().data.clear(); // takes no bytes of its own
        }
        refuse("overlaps another one");
    }
}

#if defined(__unix__)
TEST_CASE("Files are replaced with their rights, links are followed, devices are written", "[npy]") {
    namespace fs = std::filesystem;
    const fs::path folder = fs::temp_directory_path() / "notch_write_file";
    fs::remove_all(folder);
    fs::create_directories(folder / "inside");
    const auto write = [](const fs::path& to, const std::string& text) {
        notch::detail::write_file(to.string(), bytes_of(text));
    };
    const auto read = [](const fs::path& from) { return text_of(notch::detail::read_file(from.string(), 100)); };
    write(folder / "a", "first");
    fs::permissions(folder / "a", fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink("a", folder / "link");
    fs::create_symlink("inside/later", folder / "dangling");
    write(folder / "link", "second");
    write(folder / "dangling", "third");
    CHECK(read(folder / "a") == "second");
    CHECK(read(folder / "inside" / "later") == "third");
    CHECK((fs::is_symlink(folder / "link") && fs::is_symlink(folder / "dangling")));
    CHECK(fs::status(folder / "a").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    CHECK_THROWS_WITH(write(folder / "inside", "x"), containing("inside' cannot be written: "));
    if (fs::is_character_file("/dev/full")) {
        CHECK_THROWS_WITH(write("/dev/full", "x"), containing("'/dev/full' cannot be written: "));
        CHECK(fs::is_character_file("/dev/full"));
    }
    const auto entries = std::distance(fs::directory_iterator(folder), fs::directory_iterator());
    CHECK(entries == 4); // nothing was left beside them
    fs::remove_all(folder);
}
#endif

TEST_CASE("Files are written and read by name", "[npy]") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "notch_npy";
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "a.npy").string();
    notch::write_npy({{2}, std::vector<std::int16_t>{1, -2}}, path);
    CHECK(std::get<std::vector<std::int16_t>>(notch::read_npy(path).values) == std::vector<std::int16_t>{1, -2});
    CHECK(notch::to_floats(notch::read_npy(path)).values == std::vector<float>{1, -2});
    CHECK(notch::read_raw(path).size() == 132);
    CHECK(notch::read_raw(path)[0] == 0x93);
    archive zip;
    zip.add("a.npy", two_bytes);
    std::ofstream(folder / "a.npz", std::ios::binary) << zip.bytes();
    CHECK(notch::read_npz((folder / "a.npz").string()).size() == 1);
    CHECK_THROWS_WITH(notch::read_npz(path), containing("a.npy': its bytes are no archive"));
    CHECK_THROWS_WITH(notch::read_npy((folder / "none").string()), containing("none' cannot be opened: No such file"));
    CHECK_THROWS_AS(notch::read_raw(folder.string()), notch::format_error);
    std::filesystem::remove_all(folder);
}
