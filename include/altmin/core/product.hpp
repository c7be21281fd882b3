#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "altmin/core/thread_pool.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// One factor of a product: a matrix, or its transpose, without a copy.
template <class Scalar>
struct Factor {
  template <class Derived>
  Factor(const Eigen::DenseBase<Derived>& matrix)  // NOLINT(google-explicit-constructor): a matrix is a factor
      : data{matrix.derived().data()},
        rows{matrix.rows()},
        columns{matrix.cols()},
        stride{matrix.derived().outerStride()} {
    static_assert(!Derived::IsRowMajor || Derived::ColsAtCompileTime == 1, "a factor is stored by columns");
    static_assert(Derived::InnerStrideAtCompileTime == 1, "the columns of a factor are contiguous");
  }

  Factor transpose() const {
    Factor flipped = *this;
    std::swap(flipped.rows, flipped.columns);
    flipped.transposed = !transposed;
    return flipped;
  }

  Factor row_range(Index first, Index count) const { return part(first, 0, count, columns); }
  Factor column_range(Index first, Index count) const { return part(0, first, rows, count); }

  const Scalar* data;
  Index rows;
  Index columns;
  Index stride;
  bool transposed = false;

 private:
  Factor part(Index row, Index column, Index row_count, Index column_count) const {
    Factor result = *this;
    result.data += transposed ? column + row * stride : row + column * stride;
    result.rows = row_count;
    result.columns = column_count;
    return result;
  }
};

/// The transpose of a matrix as a factor.
template <class Derived>
Factor<typename Derived::Scalar> transposed(const Eigen::DenseBase<Derived>& matrix) {
  return Factor<typename Derived::Scalar>{matrix}.transpose();
}

namespace detail {

/// The panels that Eigen's product kernel copies its factors into, of a fixed size: Eigen itself would allocate them at
/// every product of more than 128 KB. The sizes are multiples of every register tile of Eigen's.
template <class Scalar>
class PackingBuffer : public Eigen::internal::level3_blocking<Scalar, Scalar> {
 public:
  static constexpr Index depth = 1024 / static_cast<Index>(sizeof(Scalar));
  static constexpr Index rows = 384;
  static constexpr Index columns = 1024;

  PackingBuffer()
      : left_{allocate(depth * rows), &Eigen::internal::aligned_free},
        right_{allocate(depth * columns), &Eigen::internal::aligned_free} {
    this->m_blockA = static_cast<Scalar*>(left_.get());
    this->m_blockB = static_cast<Scalar*>(right_.get());
  }

  /// Cuts a product into panels of nearly equal size.
  void fit(Index row_count, Index column_count, Index depth_count) {
    this->m_mc = even(row_count, rows, 48);
    this->m_nc = even(column_count, columns, 8);
    this->m_kc = even(depth_count, depth, 8);
  }

 private:
  static Index even(Index size, Index limit, Index unit) {
    if (size <= limit) return size;
    const Index parts = (size + limit - 1) / limit;
    const Index part = (size + parts - 1) / parts;
    return std::min(limit, (part + unit - 1) / unit * unit);
  }

  static void* allocate(Index size) {
    return Eigen::internal::aligned_malloc(static_cast<std::size_t>(size) * sizeof(Scalar));
  }

  std::unique_ptr<void, void (*)(void*)> left_;
  std::unique_ptr<void, void (*)(void*)> right_;
};

}  // namespace detail

/// One thread's place in a pool: what an operation needs to multiply, and to run loops in parallel.
template <class Scalar>
class Lane {
 public:
  Lane(ThreadPool& pool, detail::PackingBuffer<Scalar>* buffers, int slot = 0, int depth = 0)
      : pool_{&pool}, buffers_{buffers}, slot_{slot}, depth_{depth} {}

  /// Calls body(index, lane of the executing thread) for each index in 0 .. count - 1.
  template <class Body>
  void parallel_for(Index count, Body&& body) const {
    pool_->run(count, slot_, depth_, [&](Index i, int slot) { body(i, Lane{*pool_, buffers_, slot, depth_ + 1}); });
  }

  /// Calls body(first, count) for ranges that make up 0 .. length - 1, each `cost` elements a unit: enough for a thread
  /// to be worth waking. The cut depends on the sizes alone.
  template <class Body>
  void parallel_ranges(Index length, Index cost, Body&& body) const {
    constexpr Index worth = 16384;
    const Index step = std::max<Index>(1, worth / std::max<Index>(1, cost));
    parallel_for((length + step - 1) / step, [&](Index i, const Lane&) {
      const Index first = i * step;
      body(first, std::min(step, length - first));
    });
  }

  detail::PackingBuffer<Scalar>& packing() const { return buffers_[slot_]; }

  /// The number of this thread, below threads(): the place of its scratch memory.
  int slot() const { return slot_; }
  int threads() const { return pool_->threads(); }

 private:
  ThreadPool* pool_;
  detail::PackingBuffer<Scalar>* buffers_;
  int slot_;
  int depth_;
};

/// A pool of threads, each with memory to multiply in. For one user at a time, who holds its lock. Copies share
/// nothing.
template <class Scalar>
class Workers {
 public:
  explicit Workers(int threads = 0) : pool_{threads} {}
  Workers(const Workers& other) noexcept : pool_{other.pool_} {}
  Workers& operator=(const Workers& other) {
    pool_ = other.pool_;
    buffers_.clear();
    return *this;
  }

  int threads() const { return pool_.threads(); }

  std::mutex& busy() { return busy_; }

  /// The lane of the thread that calls from outside.
  Lane<Scalar> lane() {
    if (buffers_.empty()) buffers_ = std::vector<detail::PackingBuffer<Scalar>>(static_cast<std::size_t>(threads()));
    return {pool_, buffers_.data()};
  }

 private:
  ThreadPool pool_;
  std::vector<detail::PackingBuffer<Scalar>> buffers_;
  std::mutex busy_;
};

namespace detail {

template <class Scalar, bool LeftTransposed, bool RightTransposed>
void multiply_packed(const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out, Scalar alpha,
                     PackingBuffer<Scalar>& packing) {
  constexpr int left_order = LeftTransposed ? Eigen::RowMajor : Eigen::ColMajor;
  constexpr int right_order = RightTransposed ? Eigen::RowMajor : Eigen::ColMajor;
  using Kernel = Eigen::internal::general_matrix_matrix_product<Index, Scalar, left_order, false, Scalar, right_order,
                                                                false, Eigen::ColMajor, 1>;
  packing.fit(out.rows(), out.cols(), left.columns);
  Kernel::run(out.rows(), out.cols(), left.columns, left.data, left.stride, right.data, right.stride, out.data(), 1,
              out.outerStride(), alpha, packing, nullptr);
}

/// out += alpha left right, on one thread, without allocating.
template <class Scalar>
void multiply_serial(const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out, Scalar alpha,
                     PackingBuffer<Scalar>& packing) {
  if (out.cols() == 1 && !right.transposed) {  // one sample: a matrix-vector product reads the matrix just once
    const Eigen::Map<const Vector<Scalar>> x{right.data, right.rows};
    auto y = out.col(0);
    if (left.transposed) {
      const ConstView<Scalar> matrix{left.data, left.columns, left.rows, left.stride};
      y.noalias() += alpha * (matrix.transpose() * x);
    } else {
      const ConstView<Scalar> matrix{left.data, left.rows, left.columns, left.stride};
      y.noalias() += alpha * (matrix * x);
    }
  } else if (left.transposed) {
    right.transposed ? multiply_packed<Scalar, true, true>(left, right, out, alpha, packing)
                     : multiply_packed<Scalar, true, false>(left, right, out, alpha, packing);
  } else {
    right.transposed ? multiply_packed<Scalar, false, true>(left, right, out, alpha, packing)
                     : multiply_packed<Scalar, false, false>(left, right, out, alpha, packing);
  }
}

}  // namespace detail

/// How a product relates to what stands in its output.
enum class Write { replace, add };

/// out = alpha left right, or out += alpha left right. Every product of the library goes through here.
///
/// Large products are cut into row or column bands that run in parallel. The cut depends on the shape alone, so the
/// result is the same bits for any number of threads.
template <class Scalar>
void multiply(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out,
              Scalar alpha = Scalar(1), Write write = Write::replace) {
  eigen_assert(left.columns == right.rows && out.rows() == left.rows && out.cols() == right.columns);
  constexpr Index band_work = Index{1} << 22;  // multiplications worth a band of their own, some ten microseconds
  constexpr Index most_bands = 8;
  const Index work = left.rows * left.columns * right.columns;
  const bool by_rows = left.rows >= right.columns;
  const Index length = by_rows ? left.rows : right.columns;
  const Index unit = 16;  // a cache line of floats
  const Index bands = std::max<Index>(1, std::min({work / band_work, most_bands, length / (2 * unit)}));
  const Index width = (length + bands - 1) / bands;
  const Index step = bands == 1 ? length : (width + unit - 1) / unit * unit;
  lane.parallel_for(bands, [&](Index band, const Lane<Scalar>& own) {
    const Index first = std::min(band * step, length);
    const Index count = std::min(step, length - first);
    if (count == 0) return;
    View<Scalar> part{by_rows ? out.data() + first : out.data() + first * out.outerStride(),
                      by_rows ? count : out.rows(), by_rows ? out.cols() : count, out.outerStride()};
    if (write == Write::replace) part.setZero();
    detail::multiply_serial(by_rows ? left.row_range(first, count) : left,
                            by_rows ? right : right.column_range(first, count), part, alpha, own.packing());
  });
}

}  // namespace altmin
