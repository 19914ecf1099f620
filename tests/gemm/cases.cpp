#include "gemm/cases.hpp"

#include <atomic>
#include <memory>
#include <numeric>
#include <thread>

namespace cases {

namespace {

struct layout {
    std::ptrdiff_t row;
    std::ptrdiff_t column;
};

layout any_layout(sequence& random, std::size_t rows, std::size_t columns) {
    const auto r = static_cast<std::ptrdiff_t>(rows);
    const auto c = static_cast<std::ptrdiff_t>(columns);
    const layout all[] = {{c, 1}, {c, 1}, {c + 1, 1}, {c + 64, 1}, {-c, 1}, {3 * c, 3}, {1, r}, {c, -1}, {-1, -r - 2}};
    return random.one_of(all);
}

guarded::side any_side(sequence& random) {
    return random.between(0, 1) == 0 ? guarded::side::front : guarded::side::back;
}

/// The activations with strides, as one of the two signs.
template <class Code> class placed {
public:
    placed(sequence& random, const activations& a) : placed(random, a, any_layout(random, a.rows, a.inputs)) {}
    placed(sequence& random, const activations& a, layout strides)
        : memory_(a.rows, a.inputs, strides.row, strides.column, any_side(random)) {
        constexpr int flip = std::is_signed_v<Code> ? 128 : 0;
        for (std::size_t m = 0; m < a.rows; ++m)
            for (std::size_t k = 0; k < a.inputs; ++k)
                memory_(m, k) = static_cast<Code>(a.codes[m * a.inputs + k] - flip);
        left = {strided_view<const Code, 2>(memory_.data(), {a.rows, a.inputs}, {strides.row, strides.column}),
                a.zero_point - flip, a.exponent, a.scale};
    }
    activation_codes<Code> left{};

private:
    guarded::matrix<Code> memory_;
};

/// Runs into a destination with strides and compares; returns what is wrong.
template <class Epilogue, class T>
std::string compare(sequence& random, const products::instruction_set& set, const products::left_operand& left,
                    const packed_weights& packed, const Epilogue& epilogue, const std::vector<T>& expected) {
    const std::size_t columns = packed.outputs();
    const std::size_t rows = expected.size() / columns;
    const layout strides = any_layout(random, rows, columns);
    const guarded::matrix<T> to(rows, columns, strides.row, strides.column, any_side(random));
    const strided_view<T, 2> dst(to.data(), {rows, columns}, {strides.row, strides.column});
    constexpr std::size_t tasks_of[] = {1, 2, 7};
    gemm_options options;
    options.tasks = random.one_of(tasks_of);
    const std::size_t size = set.workspace(packed, rows, options.tasks);
    const guarded::bytes workspace(size, any_side(random)); // at the back its address has any alignment
    const bool given = random.between(0, 2) != 0;
    if (given)
        options.workspace = {workspace.data(), size};
    const bool threads = options.tasks > 1 && random.between(0, 3) != 0;
    set.run(left, packed, products::output<Epilogue, T>{epilogue, dst}, options,
            threads ? shuffling_threads(static_cast<std::uint64_t>(random.between(0, 1000))) : products::pool{});
    const auto says = [&](const auto&... parts) {
        return detail::text(set.name, ", output of ", sizeof(T), " bytes, strides [", strides.row, ", ", strides.column,
                            "], ", options.tasks, " tasks", given ? ", workspace: " : ": ", parts...);
    };
    for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t n = 0; n < columns; ++n)
            if (std::memcmp(&to(m, n), &expected[m * columns + n], sizeof(T)) != 0)
                return says("[", m, ", ", n, "] is ", +to(m, n), ", not ", +expected[m * columns + n]);
    const std::size_t disturbed = to.disturbed();
    return disturbed == 0 ? std::string() : says(disturbed, " bytes between the elements have been written");
}

} // namespace

products::pool shuffling_threads(std::uint64_t seed) {
    return [seed](std::size_t count, const std::function<void(std::size_t)>& body) {
        std::vector<std::size_t> order(count);
        std::iota(order.begin(), order.end(), std::size_t{0});
        for (std::size_t i = count; i > 1; --i)
            std::swap(order[i - 1], order[counter_bits(seed, i) % i]);
        std::atomic<std::size_t> next{0};
        std::vector<std::thread> team;
        for (int i = 0; i < 3; ++i)
            team.emplace_back([&] {
                for (std::size_t task = next++; task < count; task = next++)
                    body(order[task]);
            });
        for (std::thread& member : team)
            member.join();
    };
}

bool packs_alike(std::span<const detail::weight_term> terms, const packed_weights& packed) {
    return std::ranges::all_of(products::instruction_sets(), [&](const products::instruction_set& set) {
        return std::ranges::equal(set.pack(terms, packed.name()).bytes(), packed.bytes());
    });
}

std::string first_difference(sequence& random, const activations& a, const packed_weights& packed,
                             const results& expected) {
    // The packed bytes themselves end where the forbidden page begins: they are a multiple of 64.
    const guarded::bytes bytes(packed.bytes().size());
    std::memcpy(bytes.data(), packed.bytes().data(), bytes.size());
    const packed_weights moved(bytes.data(), "moved");
    for (const products::instruction_set& set : products::instruction_sets()) {
        const placed<std::uint8_t> plain(random, a);
        const placed<std::int8_t> flipped(random, a);
        for (const bool is_signed : {false, true}) {
            const products::left_operand left =
                is_signed ? products::left_operand(flipped.left) : products::left_operand(plain.left);
            std::string wrong;
            const auto add = [&](const auto& epilogue, const auto& list) {
                if (!list.empty() && wrong.empty())
                    wrong = compare(random, set, left, moved, epilogue, list);
            };
            add(identity{}, expected.sums);
            add(to_real{}, expected.reals);
            add(real_epilogue(expected), expected.real_codes);
            add(shift_epilogue(expected), expected.shifted_codes);
            if (!wrong.empty())
                return detail::text(is_signed ? "int8 x " : "uint8 x ", packed.bits(), " bits [", packed.outputs(),
                                    ", ", packed.inputs(), "] in blocks of ", packed.header().block, ", zero point ",
                                    a.zero_point, ", ", wrong);
        }
    }
    return {};
}

} // namespace cases
