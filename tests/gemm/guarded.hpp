/// @file
/// Memory between two pages that nobody may touch: reading or writing one byte beyond it ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include <sys/mman.h>
#include <unistd.h>

namespace guarded {

/// Which end of the memory lies against the forbidden page.
enum class side { front, back };

/// Bytes, as many as asked for.
class bytes {
public:
    explicit bytes(std::size_t size, side against = side::back) : size_(size) {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const std::size_t inner = (size + page - 1) / page * page;
        mapped_ = inner + 2 * page;
        base_ = ::mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base_ == MAP_FAILED)
            throw std::runtime_error("no memory");
        auto* first = static_cast<std::byte*>(base_) + page;
        if (inner != 0 && ::mprotect(first, inner, PROT_READ | PROT_WRITE) != 0)
            throw std::runtime_error("no memory");
        data_ = against == side::front ? first : first + (inner - size);
    }
    bytes(const bytes&) = delete;
    bytes& operator=(const bytes&) = delete;
    ~bytes() { ::munmap(base_, mapped_); }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::size_t size_;
    std::size_t mapped_ = 0;
    void* base_ = nullptr;
    std::byte* data_ = nullptr;
};

/// A matrix with strides in such memory: exactly the bytes from the first to the last element.
template <class T> class matrix {
public:
    /// Strides in elements, of any sign. Gaps hold the byte 0xa5.
    matrix(std::size_t rows, std::size_t columns, std::ptrdiff_t row_stride, std::ptrdiff_t column_stride, side against)
        : rows_(rows), columns_(columns), row_stride_(row_stride), column_stride_(column_stride),
          memory_(span() * sizeof(T), against) {
        std::memset(memory_.data(), 0xa5, memory_.size());
        std::ptrdiff_t first = 0;
        if (row_stride < 0)
            first -= row_stride * static_cast<std::ptrdiff_t>(rows - 1);
        if (column_stride < 0)
            first -= column_stride * static_cast<std::ptrdiff_t>(columns - 1);
        origin_ = reinterpret_cast<T*>(memory_.data()) + first;
    }

    [[nodiscard]] T* data() const noexcept { return origin_; }
    [[nodiscard]] T& operator()(std::size_t row, std::size_t column) const noexcept {
        return origin_[static_cast<std::ptrdiff_t>(row) * row_stride_ +
                       static_cast<std::ptrdiff_t>(column) * column_stride_];
    }
    /// How many bytes differ from 0xa5 once the elements are left out. Overwrites the elements.
    [[nodiscard]] std::size_t disturbed() const {
        for (std::size_t r = 0; r < rows_; ++r)
            for (std::size_t c = 0; c < columns_; ++c)
                std::memset(&(*this)(r, c), 0xa5, sizeof(T));
        std::size_t count = 0;
        for (std::size_t i = 0; i < memory_.size(); ++i)
            count += memory_.data()[i] != std::byte{0xa5};
        return count;
    }

private:
    [[nodiscard]] std::size_t span() const noexcept {
        const auto size = [](std::ptrdiff_t stride) { return static_cast<std::size_t>(stride < 0 ? -stride : stride); };
        return rows_ == 0 || columns_ == 0
                   ? 0
                   : (rows_ - 1) * size(row_stride_) + (columns_ - 1) * size(column_stride_) + 1;
    }

    std::size_t rows_;
    std::size_t columns_;
    std::ptrdiff_t row_stride_;
    std::ptrdiff_t column_stride_;
    bytes memory_;
    T* origin_ = nullptr;
};

} // namespace guarded
