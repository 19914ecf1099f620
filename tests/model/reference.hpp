/// @file
/// A network computed number by number in doubles, from the definitions of ONNX, and random numbers for tests.
#pragma once

#include <notch/model/network.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

namespace model_cases {

/// Random numbers, the same in every run.
class sequence {
public:
    explicit sequence(std::uint64_t seed) : state_(seed * 2 + 1) {}
    /// In [lowest, highest].
    long between(long lowest, long highest) {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return lowest + static_cast<long>((state_ >> 33) % static_cast<std::uint64_t>(highest - lowest + 1));
    }
    std::size_t size(long lowest, long highest) { return static_cast<std::size_t>(between(lowest, highest)); }
    /// Multiples of 2^-10 in [-2, 2].
    float real() { return static_cast<float>(between(-2048, 2048)) / 1024.0F; }
    std::vector<float> reals(std::size_t count) {
        std::vector<float> values(count);
        for (float& x : values)
            x = real();
        return values;
    }
    /// Multiples of 2^-10 in [0.5, 2].
    std::vector<float> positives(std::size_t count) {
        std::vector<float> values(count);
        for (float& x : values)
            x = static_cast<float>(between(512, 2048)) / 1024.0F;
        return values;
    }

private:
    std::uint64_t state_;
};

/// A tensor of one image.
struct real_tensor {
    std::vector<long> shape{};
    std::vector<double> values{};

    real_tensor() = default;
    explicit real_tensor(std::vector<long> extents) : shape(std::move(extents)), values(count(), 0.0) {}
    [[nodiscard]] std::size_t count() const {
        long product = 1;
        for (const long extent : shape)
            product *= extent;
        return static_cast<std::size_t>(product);
    }
    [[nodiscard]] std::size_t at(const std::vector<long>& index) const {
        long offset = 0;
        for (std::size_t axis = 0; axis < shape.size(); ++axis)
            offset = offset * shape[axis] + index[axis];
        return static_cast<std::size_t>(offset);
    }
    double& operator[](const std::vector<long>& index) { return values[at(index)]; }
    double operator[](const std::vector<long>& index) const { return values[at(index)]; }
    [[nodiscard]] bool holds(const std::vector<long>& index) const {
        for (std::size_t axis = 0; axis < shape.size(); ++axis)
            if (index[axis] < 0 || index[axis] >= shape[axis])
                return false;
        return true;
    }
    /// Calls body(index) for every element.
    template <class Body> void each(const Body& body) const {
        std::vector<long> index(shape.size(), 0);
        for (std::size_t n = 0; n < count(); ++n) {
            body(index);
            for (std::size_t axis = shape.size(); axis-- > 0;) {
                if (++index[axis] < shape[axis])
                    break;
                index[axis] = 0;
            }
        }
    }
};

inline long number(std::size_t n) { return static_cast<long>(n); }
inline std::vector<long> numbers(const std::vector<std::size_t>& list) { return {list.begin(), list.end()}; }

using inputs_of_layer = std::vector<const real_tensor*>;

inline real_tensor plainly(const notch::convolution& op, const inputs_of_layer& inputs) {
    const real_tensor& x = *inputs[0];
    const std::vector<long> w = numbers(op.weights.shape);
    const auto extent = [&](std::size_t axis) {
        const long reach = (w[2 + axis] - 1) * number(op.window.dilation[axis]) + 1;
        const long padded = x.shape[1 + axis] + number(op.window.padding[axis] + op.window.padding[2 + axis]);
        return (padded - reach) / number(op.window.stride[axis]) + 1;
    };
    real_tensor y({w[0], extent(0), extent(1)});
    const long outputs_of_group = w[0] / number(op.groups);
    y.each([&](const std::vector<long>& i) {
        double total = op.bias.empty() ? 0.0 : double{op.bias[static_cast<std::size_t>(i[0])]};
        for (long c = 0; c < w[1]; ++c)
            for (long kh = 0; kh < w[2]; ++kh)
                for (long kw = 0; kw < w[3]; ++kw) {
                    const std::vector<long> from{i[0] / outputs_of_group * w[1] + c,
                                                 i[1] * number(op.window.stride[0]) +
                                                     kh * number(op.window.dilation[0]) - number(op.window.padding[0]),
                                                 i[2] * number(op.window.stride[1]) +
                                                     kw * number(op.window.dilation[1]) - number(op.window.padding[1])};
                    const long weight = ((i[0] * w[1] + c) * w[2] + kh) * w[3] + kw;
                    if (x.holds(from))
                        total += double{op.weights.values[static_cast<std::size_t>(weight)]} * x[from];
                }
        y[i] = total;
    });
    return y;
}

inline real_tensor plainly(const notch::linear& op, const inputs_of_layer& inputs) {
    real_tensor y({number(op.weights.shape[0])});
    for (std::size_t o = 0; o < y.values.size(); ++o) {
        y.values[o] = op.bias.empty() ? 0.0 : double{op.bias[o]};
        for (std::size_t i = 0; i < op.weights.shape[1]; ++i)
            y.values[o] += double{op.weights.values[o * op.weights.shape[1] + i]} * inputs[0]->values[i];
    }
    return y;
}

/// y = f(x, channel) for each number.
template <class F> real_tensor each_number(const real_tensor& x, const F& f) {
    real_tensor y = x;
    x.each([&](const std::vector<long>& i) { y[i] = f(x[i], static_cast<std::size_t>(i[0])); });
    return y;
}

inline real_tensor plainly(const notch::batch_norm& op, const inputs_of_layer& inputs) {
    return each_number(*inputs[0], [&](double x, std::size_t c) {
        return (x - double{op.mean[c]}) / std::sqrt(double{op.variance[c]} + double{op.epsilon}) * double{op.gain[c]} +
               double{op.shift[c]};
    });
}
inline real_tensor plainly(const notch::affine_map& op, const inputs_of_layer& inputs) {
    const auto of = [](const std::vector<float>& list, std::size_t c, double none) {
        return list.empty() ? none : double{list[list.size() == 1 ? 0 : c]};
    };
    return each_number(*inputs[0],
                       [&](double x, std::size_t c) { return x * of(op.factor, c, 1) + of(op.offset, c, 0); });
}
inline real_tensor plainly(const notch::clip& op, const inputs_of_layer& inputs) {
    return each_number(*inputs[0], [&](double x, std::size_t) {
        return x < double{op.lowest} ? double{op.lowest} : x > double{op.highest} ? double{op.highest} : x;
    });
}
inline real_tensor plainly(const notch::sum&, const inputs_of_layer& inputs) {
    real_tensor y = *inputs[0];
    for (std::size_t i = 0; i < y.values.size(); ++i)
        y.values[i] += inputs[1]->values[i];
    return y;
}

/// Walks the windows of a pooling: gives(values inside of the image, pixels of the padded image).
template <class Pool, class Gives> real_tensor pooled(const Pool& op, const real_tensor& x, const Gives& gives) {
    const auto extent = [&](std::size_t axis) {
        const long stride = number(op.window.stride[axis]);
        const long reach = (number(op.kernel[axis]) - 1) * number(op.window.dilation[axis]) + 1;
        const long before = number(op.window.padding[axis]);
        const double room =
            static_cast<double>(x.shape[1 + axis] + before + number(op.window.padding[2 + axis]) - reach) /
            static_cast<double>(stride);
        long count = static_cast<long>(op.ceil_mode ? std::ceil(room) : std::floor(room)) + 1;
        while (op.ceil_mode && (count - 1) * stride >= x.shape[1 + axis] + before)
            --count;
        return count;
    };
    real_tensor y({x.shape[0], extent(0), extent(1)});
    y.each([&](const std::vector<long>& i) {
        std::vector<double> inside;
        long counted = 0;
        for (long kh = 0; kh < number(op.kernel[0]); ++kh)
            for (long kw = 0; kw < number(op.kernel[1]); ++kw) {
                const long h = i[1] * number(op.window.stride[0]) + kh * number(op.window.dilation[0]) -
                               number(op.window.padding[0]);
                const long w = i[2] * number(op.window.stride[1]) + kw * number(op.window.dilation[1]) -
                               number(op.window.padding[1]);
                if (h < x.shape[1] + number(op.window.padding[2]) && w < x.shape[2] + number(op.window.padding[3]))
                    ++counted;
                if (x.holds({i[0], h, w}))
                    inside.push_back(x[{i[0], h, w}]);
            }
        y[i] = gives(inside, counted);
    });
    return y;
}
inline real_tensor plainly(const notch::max_pool& op, const inputs_of_layer& inputs) {
    return pooled(op, *inputs[0], [](const std::vector<double>& inside, long) {
        double largest = -std::numeric_limits<double>::infinity();
        for (const double x : inside)
            largest = x > largest ? x : largest;
        return largest;
    });
}
inline real_tensor plainly(const notch::average_pool& op, const inputs_of_layer& inputs) {
    return pooled(op, *inputs[0], [&](const std::vector<double>& inside, long counted) {
        double total = 0;
        for (const double x : inside)
            total += x;
        return total / (op.count_include_pad ? static_cast<double>(counted) : static_cast<double>(inside.size()));
    });
}
inline real_tensor plainly(const notch::global_average_pool_layer&, const inputs_of_layer& inputs) {
    const real_tensor& x = *inputs[0];
    real_tensor y({x.shape[0], 1, 1});
    x.each([&](const std::vector<long>& i) { y[{i[0], 0, 0}] += x[i]; });
    for (double& total : y.values)
        total /= static_cast<double>(x.shape[1] * x.shape[2]);
    return y;
}
inline real_tensor plainly(const notch::reshape& op, const inputs_of_layer& inputs) {
    real_tensor y = *inputs[0];
    y.shape = op.shape.empty() ? std::vector<long>{number(y.count())} : numbers(op.shape);
    return y;
}
inline real_tensor plainly(const notch::concat& op, const inputs_of_layer& inputs) {
    std::vector<long> shape = inputs[0]->shape;
    shape[op.axis] = 0;
    for (const real_tensor* x : inputs)
        shape[op.axis] += x->shape[op.axis];
    real_tensor y(shape);
    long start = 0;
    for (const real_tensor* x : inputs) {
        x->each([&](std::vector<long> i) {
            const double value = (*x)[i];
            i[op.axis] += start;
            y[i] = value;
        });
        start += x->shape[op.axis];
    }
    return y;
}
inline real_tensor plainly(const notch::slice& op, const inputs_of_layer& inputs) {
    std::vector<long> shape;
    for (std::size_t axis = 0; axis < op.begin.size(); ++axis) {
        long count = 0;
        for (std::size_t i = op.begin[axis]; i < op.end[axis]; i += op.step[axis])
            ++count;
        shape.push_back(count);
    }
    real_tensor y(shape);
    y.each([&](const std::vector<long>& i) {
        std::vector<long> from = i;
        for (std::size_t axis = 0; axis < from.size(); ++axis)
            from[axis] = number(op.begin[axis]) + i[axis] * number(op.step[axis]);
        y[i] = (*inputs[0])[from];
    });
    return y;
}
inline real_tensor plainly(const notch::pad& op, const inputs_of_layer& inputs) {
    std::vector<long> shape = inputs[0]->shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
        shape[axis] += number(op.before[axis] + op.after[axis]);
    real_tensor y(shape);
    y.each([&](const std::vector<long>& i) {
        std::vector<long> from = i;
        for (std::size_t axis = 0; axis < from.size(); ++axis)
            from[axis] -= number(op.before[axis]);
        y[i] = inputs[0]->holds(from) ? (*inputs[0])[from] : double{op.value};
    });
    return y;
}
inline real_tensor plainly(const notch::softmax&, const inputs_of_layer& inputs) {
    const real_tensor& x = *inputs[0];
    real_tensor y(x.shape);
    y.each([&](const std::vector<long>& i) {
        double total = 0;
        std::vector<long> from = i;
        for (from[0] = 0; from[0] < x.shape[0]; ++from[0])
            total += std::exp(x[from]);
        y[i] = std::exp(x[i]) / total;
    });
    return y;
}

/// Every tensor of a network for one image.
inline std::vector<real_tensor> plain_tensors(const notch::network& net, const std::vector<float>& image) {
    std::vector<real_tensor> tensors(net.tensors.size());
    tensors[net.input].shape = numbers(net.tensors[net.input].shape);
    tensors[net.input].values.assign(image.begin(), image.end());
    for (const notch::layer& it : net.layers) {
        inputs_of_layer inputs;
        for (const std::size_t input : it.inputs)
            inputs.push_back(&tensors[input]);
        tensors[it.output] = std::visit([&](const auto& op) { return plainly(op, inputs); }, it.op);
    }
    return tensors;
}

} // namespace model_cases
