#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "altmin/core/register_tile.hpp"
#include "altmin/core/thread_pool.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// One factor of a product: a matrix, or its transpose, without a copy.
template <class Scalar>
struct Factor {
  Factor() = default;
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

  /// The matrix as it is stored, by columns.
  ConstView<Scalar> stored() const {
    return transposed ? ConstView<Scalar>{data, columns, rows, stride} : ConstView<Scalar>{data, rows, columns, stride};
  }

  Factor row_range(Index first, Index count) const { return part(first, 0, count, columns); }
  Factor column_range(Index first, Index count) const { return part(0, first, rows, count); }

  const Scalar* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index stride = 0;
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

/// Memory for what a product cannot read where it stands, of a fixed size: rows of the left factor for all threads that
/// take part, columns of the right one for a thread's own cell. And room for the body of a parallel_for_leaves().
template <class Scalar>
class PackingBuffer {
 public:
  static constexpr Index depth = 2048 / static_cast<Index>(sizeof(Scalar));
  static constexpr Index rows = 960;  // a multiple of the rows of every register tile
  static constexpr Index columns = 32;
  static constexpr Index room = Index{1} << 20;

  PackingBuffer()
      : memory_{Eigen::internal::aligned_malloc(((rows + columns) * depth + room) * sizeof(Scalar)),
                &Eigen::internal::aligned_free} {}

  Scalar* left() { return static_cast<Scalar*>(memory_.get()); }
  Scalar* right() { return left() + rows * depth; }
  Scalar* leaf() { return right() + columns * depth; }

 private:
  std::unique_ptr<void, void (*)(void*)> memory_;
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

  /// The same for a body that runs no loops of its own. While this thread waits it takes part in nothing but such
  /// loops, so that its packing memory stays as it is.
  template <class Body>
  void parallel_for_leaves(Index count, Body&& body) const {
    constexpr int deepest = std::numeric_limits<int>::max();
    pool_->run(count, slot_, deepest, [&](Index i, int slot) { body(i, Lane{*pool_, buffers_, slot, deepest}); });
  }

  /// Calls body(first, count) for ranges that make up 0 .. length - 1, each `cost` elements a unit: enough for a thread
  /// to be worth waking. The cut depends on the sizes alone.
  template <class Body>
  void parallel_ranges(Index length, Index cost, Body&& body) const {
    constexpr Index worth = 16384;
    const Index step = std::max<Index>(1, worth / std::max<Index>(1, cost));
    parallel_for_leaves((length + step - 1) / step, [&](Index i, const Lane&) {
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

  /// Calls use(lane) with the pool or, while somebody else has it, with the calling thread alone.
  template <class Use>
  void lend(Use&& use) {
    const std::unique_lock<std::mutex> lock{busy_, std::try_to_lock};
    if (lock) return use(lane());
    Workers own{1};
    use(own.lane());
  }

 private:
  ThreadPool pool_;
  std::vector<detail::PackingBuffer<Scalar>> buffers_;
  std::mutex busy_;
};

namespace detail {

/// Cuts 0 .. length - 1 into nearly equal parts that begin at multiples of `unit`, no longer than `limit`.
struct Cut {
  Cut(Index length_, Index limit, Index unit_)
      : length{length_}, unit{unit_}, units{(length + unit - 1) / unit}, count{(length + limit - 1) / limit} {}

  /// The same where threads share the parts: of several there are a multiple of four, for equal shares of two or four.
  static Cut shared(Index length, Index limit, Index unit) {
    Cut cut{length, limit, unit};
    if (cut.count > 1) cut.count = std::min(cut.units, (cut.count + 3) / 4 * 4);
    return cut;
  }

  Index first(Index i) const { return std::min(length, i * units / count * unit); }
  Index size(Index i) const { return first(i + 1) - first(i); }
  Index widest() const { return (units + count - 1) / count * unit; }

  Index length;
  Index unit;
  Index units;
  Index count;
};

/// Whether columns of a left factor lie so far apart that each is a page of its own: register tiles then read their
/// rows faster when packed.
template <class Scalar>
constexpr bool far_apart(Index stride) {
  constexpr Index page = 4096;
  return stride * static_cast<Index>(sizeof(Scalar)) >= page;
}

/// Whether all rows of a left factor must be packed: those of a transpose, and where columns lie far apart.
template <class Scalar>
bool needs_packing(const Factor<Scalar>& left) {
  return left.transposed || far_apart<Scalar>(left.stride);
}

/// Packs the rows first .. first + count - 1 of a left factor, as many as a register tile has or fewer.
template <class Scalar>
void pack_rows(const Factor<Scalar>& left, Index first, Index count, Scalar* to) {
  const Index row_step = left.transposed ? left.stride : 1;
  const Index column_step = left.transposed ? 1 : left.stride;
  RegisterTile<Scalar>::pack(left.data + first * row_step, row_step, column_step, count, left.columns, to);
}

/// Columns of a right factor as register tiles read them: where they stand, or packed.
template <class Scalar>
RightPanel<Scalar> right_panel(const Lane<Scalar>& lane, const Factor<Scalar>& right, Index first, Index count) {
  if (!right.transposed) return {right.data + first * right.stride, 1, right.stride};
  constexpr Index width = PackingBuffer<Scalar>::columns;
  Scalar* const packed = lane.packing().right();
  RegisterTile<Scalar>::pack_right(right.data + first, right.stride, right.rows, count, packed, width);
  return {packed, width, 1};
}

/// The rows of a left factor as register tiles read them: where they stand, or packed.
template <class Scalar>
class LeftPanels {
  using Tile = RegisterTile<Scalar>;

 public:
  /// Packs, in parallel, what cannot be read in place: all where a factor needs it, else the last rows where those
  /// above them are too few to make up whole packets.
  LeftPanels(const Lane<Scalar>& lane, const Factor<Scalar>& left) : left_{left}, packed_{lane.packing().left()} {
    const Index panels = (left.rows + Tile::rows - 1) / Tile::rows;
    const Index last = left.rows - (panels - 1) * Tile::rows;
    first_packed_ = needs_packing(left) ? 0 : Tile::whole_packets(last) > left.rows ? panels - 1 : panels;
    lane.parallel_for_leaves(panels - first_packed_, [&](Index p, const Lane<Scalar>&) {
      const Index first = (first_packed_ + p) * Tile::rows;
      pack_rows(left, first, std::min<Index>(Tile::rows, left.rows - first), packed(p));
    });
  }

  /// The panel of `count` rows that begins with row i, a multiple of Tile::rows.
  LeftPanel<Scalar> rows(Index i, Index count) const {
    const Index panel = i / Tile::rows;
    if (panel >= first_packed_) return {packed(panel - first_packed_), Tile::rows};
    return {left_.data + i, left_.stride, Tile::whole_packets(count) - count};
  }

 private:
  Scalar* packed(Index p) const { return packed_ + p * Tile::rows * left_.columns; }

  const Factor<Scalar>& left_;
  Scalar* packed_;
  Index first_packed_;
};

/// Multiplies the rows of a register tile, or fewer, by those columns of a panel that are wanted: in row i those up to
/// `diagonal` + i, and some more.
template <class Scalar>
void multiply_below(const LeftPanel<Scalar>& rows, const RightPanel<Scalar>& columns, Index depth, Index row_count,
                    Index column_count, const ProductOutput<Scalar>& out, Index diagonal) {
  using Tile = RegisterTile<Scalar>;
  // Columns beyond the diagonal of a packet of rows are for the packets below it alone.
  Index from = 0;
  for (Index skipped = 0; skipped < row_count && from < column_count; skipped += Tile::lanes) {
    const Index to = std::clamp<Index>(diagonal + skipped + Tile::lanes, from, column_count);
    if (from < to) {
      Tile::multiply(rows.from_row(skipped), columns.from_column(from), depth, row_count - skipped, to - from,
                     out.part(skipped, from));
    }
    from = to;
  }
}

/// The parts of a triangle's columns in such an order that every two, a long one and a short one, are an equal share.
inline Index paired(Index i, Index count) { return i % 2 == 0 ? i / 2 : count - 1 - i / 2; }

/// A product of which the packing memory can hold the left factor. In row i the columns up to `diagonal` + i are
/// wanted, or all.
template <class Scalar>
void multiply_cells(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right,
                    const ProductOutput<Scalar>& out, Index diagonal) {
  using Tile = RegisterTile<Scalar>;
  constexpr Index work = Index{1} << 23;  // multiplications of a cell, some fifty microseconds
  constexpr Index width = PackingBuffer<Scalar>::columns;
  const Cut columns = Cut::shared(right.columns, width, Tile::few_columns);
  const Cut rows{left.rows, std::max<Index>(work / (width * left.columns), Tile::rows), Tile::rows};
  const LeftPanels<Scalar> panels{lane, left};
  lane.parallel_for_leaves(rows.count * columns.count, [&](Index cell, const Lane<Scalar>& own) {
    const Index r = cell % rows.count;
    const Index c = diagonal < right.columns ? paired(cell / rows.count, columns.count) : cell / rows.count;
    const Index first = columns.first(c);
    const Index count = columns.size(c);
    if (diagonal + rows.first(r + 1) <= first) return;
    const RightPanel<Scalar> panel = right_panel(own, right, first, count);
    // Row by row of tiles: one comes from afar, then stays near while it meets all columns of the cell.
    for (Index i = rows.first(r); i < rows.first(r + 1); i += Tile::rows) {
      const Index height = std::min<Index>(Tile::rows, rows.first(r + 1) - i);
      multiply_below(panels.rows(i, height), panel, left.columns, height, count, out.part(i, first),
                     diagonal + i - first);
    }
  });
}

/// The same for a left factor that needs packing and a right one that stays near meanwhile, by bands of rows with equal
/// shares of the work: each is packed by the thread that multiplies it, and does not travel between cores.
template <class Scalar>
void multiply_bands(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right,
                    const ProductOutput<Scalar>& out, Index diagonal) {
  using Tile = RegisterTile<Scalar>;
  constexpr Index work = Index{1} << 24;  // multiplications of a band, some hundred microseconds
  constexpr Index width = PackingBuffer<Scalar>::columns;
  const bool whole = diagonal >= right.columns;
  const Index least = (whole ? 2 : 4) * Tile::rows;  // the last bands of a triangle are low
  const Cut cut = Cut::shared(left.rows, std::max(least, work / (right.columns * left.columns)), Index{Tile::lanes});
  const auto begin = [&](Index b) {
    if (whole || b == cut.count) return cut.first(b);
    // Above row i there is about d i + i^2 / 2 wanted.
    const auto d = static_cast<double>(diagonal), n = static_cast<double>(left.rows);
    const double share = (d * n + n * n / 2) * static_cast<double>(b) / static_cast<double>(cut.count);
    const double row = std::sqrt(d * d + 2 * share) - d;
    return static_cast<Index>(row / Tile::lanes + 0.5) * Tile::lanes;
  };
  lane.parallel_for_leaves(cut.count, [&](Index b, const Lane<Scalar>& own) {
    const Index first = begin(b);
    const Index end = begin(b + 1);
    const auto for_each_tile = [&](auto&& use) {
      for (Index i = first; i < end; i += Tile::rows) {
        use(i, std::min<Index>(Tile::rows, end - i), own.packing().leaf() + (i - first) * left.columns);
      }
    };
    for_each_tile([&](Index i, Index height, Scalar* packed) { pack_rows(left, i, height, packed); });
    const Index columns = std::min(right.columns, diagonal + end);
    for (Index j = 0; j < columns; j += width) {
      const Index count = std::min(width, columns - j);
      const RightPanel<Scalar> panel = right_panel(own, right, j, count);
      for_each_tile([&](Index i, Index height, Scalar* packed) {
        multiply_below(LeftPanel<Scalar>{packed, Tile::rows}, panel, left.columns, height, count, out.part(i, j),
                       diagonal + i - j);
      });
    }
  });
}

/// out = the addend.
template <class Scalar>
void begin_sum(View<Scalar> out, const Addend<Scalar>& addend) {
  if (addend.empty()) {
    out.setZero();
  } else if (addend.data != out.data() || addend.factor != Scalar(1)) {
    out = addend.factor * ConstView<Scalar>{addend.data, out.rows(), out.cols(), addend.stride};
  }
}

/// One sample: a matrix-vector product reads the matrix just once.
template <class Scalar>
void multiply_vector(const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out, Scalar alpha) {
  const Eigen::Map<const Vector<Scalar>> x{right.data, right.rows};
  auto y = out.col(0);
  if (left.transposed) {
    y.noalias() += alpha * (left.stored().transpose() * x);
  } else {
    y.noalias() += alpha * (left.stored() * x);
  }
}

#ifdef EIGEN_USE_BLAS
/// By the BLAS that Eigen has been told to use, each column band in one call.
template <class Scalar>
void multiply_blas(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out,
                   Scalar alpha, const Addend<Scalar>& addend) {
  constexpr Index work = Index{1} << 23;
  const Cut columns = Cut::shared(right.columns, std::max<Index>(work / (left.rows * left.columns), 32), 32);
  lane.parallel_for_leaves(columns.count, [&](Index c, const Lane<Scalar>&) {
    View<Scalar> part = out.slice(columns.first(c), columns.size(c));
    begin_sum(part, addend.part(0, columns.first(c)));
    const Factor<Scalar> band = right.column_range(columns.first(c), columns.size(c));
    const auto add = [&](const auto& a) {
      if (right.transposed) {
        part.noalias() += alpha * (a * band.stored().transpose());
      } else {
        part.noalias() += alpha * (a * band.stored());
      }
    };
    left.transposed ? add(left.stored().transpose()) : add(left.stored());
  });
}
#endif

/// Which part of a product is wanted.
enum class Part { all, lower };

template <class Scalar>
void multiply_part(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out,
                   Scalar alpha, const Addend<Scalar>& addend, Part part) {
  eigen_assert(left.columns == right.rows && out.rows() == left.rows && out.cols() == right.columns);
  if (out.size() == 0) return;
  if (left.columns == 0) return begin_sum(out, addend);
  if (out.cols() == 1 && !right.transposed) {
    begin_sum(out, addend);
    return multiply_vector(left, right, out, alpha);
  }
#ifdef EIGEN_USE_BLAS
  multiply_blas(lane, left, right, out, alpha, addend);
  (void)part;
#else
  const Cut depths{left.columns, PackingBuffer<Scalar>::depth, 8};
  const Cut rows{left.rows, PackingBuffer<Scalar>::rows, RegisterTile<Scalar>::rows};
  for (Index d = 0; d < depths.count; ++d) {
    const Factor<Scalar> slab = left.column_range(depths.first(d), depths.size(d));
    const ProductOutput<Scalar> whole{out.data(), out.outerStride(), alpha, d == 0 ? addend : out};
    for (Index r = 0; r < rows.count; ++r) {
      const Factor<Scalar> left_part = slab.row_range(rows.first(r), rows.size(r));
      const Factor<Scalar> right_part = right.row_range(depths.first(d), depths.size(d));
      const ProductOutput<Scalar> out_part = whole.part(rows.first(r), 0);
      const Index diagonal = part == Part::lower ? rows.first(r) : right.columns;
      const bool near = right_part.rows * right_part.columns <= PackingBuffer<Scalar>::room / 4;
      if (needs_packing(left) && near) {
        multiply_bands(lane, left_part, right_part, out_part, diagonal);
      } else {
        multiply_cells(lane, left_part, right_part, out_part, diagonal);
      }
    }
  }
#endif
}

}  // namespace detail

/// out = alpha left right + addend. Every product of the library goes through here.
///
/// Large products are cut into cells or bands that run in parallel. Each element is summed up in the same order
/// whatever the cut, so the result is the same bits for any number of threads. With EIGEN_USE_BLAS defined, as Eigen
/// documents it, the BLAS multiplies, which then should not start threads of its own.
template <class Scalar>
void multiply(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out,
              Scalar alpha = Scalar(1), const Addend<Scalar>& addend = {}) {
  detail::multiply_part(lane, left, right, out, alpha, addend, detail::Part::all);
}

/// The same for a product that is symmetric, as that with the own transpose, and an addend that is: at half the price.
template <class Scalar>
void multiply_symmetric(const Lane<Scalar>& lane, const Factor<Scalar>& left, const Factor<Scalar>& right,
                        View<Scalar> out, Scalar alpha = Scalar(1), const Addend<Scalar>& addend = {}) {
  detail::multiply_part(lane, left, right, out, alpha, addend, detail::Part::lower);
  using Tile = detail::RegisterTile<Scalar>;
  const auto mirror = [&](Index first, Index end) {  // columns of one square
    Index i = first;
    const auto mirror_row = [&] {
      for (Index j = first; j < std::min(i, end); ++j) out(j, i) = out(i, j);
    };
    for (; i < end; ++i) mirror_row();
    for (; i + Tile::lanes <= out.rows(); i += Tile::lanes) {
      Tile::transpose(&out(i, first), out.outerStride(), &out(first, i), out.outerStride());
    }
    for (; i < out.rows(); ++i) mirror_row();
  };
  constexpr Index band = 64;  // columns, whole squares of them
  lane.parallel_for_leaves((out.cols() + band - 1) / band, [&](Index b, const Lane<Scalar>&) {
    const Index end = std::min((b + 1) * band, out.cols());
    for (Index first = b * band; first < end; first += Tile::lanes) {
      mirror(first, std::min<Index>(first + Tile::lanes, end));
    }
  });
}

}  // namespace altmin
