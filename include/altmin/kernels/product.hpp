#pragma once

#include <algorithm>
#include <cmath>

#include "altmin/kernels/factor.hpp"
#include "altmin/kernels/packing.hpp"
#include "altmin/kernels/register_tile.hpp"
#include "altmin/parallel/partition.hpp"
#include "altmin/parallel/worker.hpp"

namespace altmin {

namespace detail {

/// Multiplies the rows of a register tile, or fewer, by the columns of a panel that are computed: in row i those up to
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
/// computed, or all.
template <class Scalar>
void multiply_cells(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right,
                    const ProductOutput<Scalar>& out, Index diagonal) {
  using Tile = RegisterTile<Scalar>;
  constexpr Index work = Index{1} << 23;  // multiplications of a cell, some fifty microseconds
  constexpr Index width = ThreadMemory<Scalar>::columns;
  const Partition columns = Partition::shared(right.columns, width, Tile::few_columns);
  const Partition rows{left.rows, std::max<Index>(work / (width * left.columns), Tile::rows), Tile::rows};
  const LeftPanels<Scalar> panels{worker, left};
  worker.parallel_for_leaves(rows.count * columns.count, [&](Index cell, const Worker<Scalar>& own) {
    const Index r = cell % rows.count;
    const Index c = diagonal < right.columns ? paired(cell / rows.count, columns.count) : cell / rows.count;
    const Index first = columns.first(c);
    const Index count = columns.size(c);
    if (diagonal + rows.first(r + 1) <= first) return;
    const RightPanel<Scalar> panel = right_panel(own, right, first, count);
    // Row by row of tiles: a tile stays in the first cache while it is multiplied with all columns of the cell.
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
void multiply_bands(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right,
                    const ProductOutput<Scalar>& out, Index diagonal) {
  using Tile = RegisterTile<Scalar>;
  constexpr Index work = Index{1} << 24;  // multiplications of a band, some hundred microseconds
  constexpr Index width = ThreadMemory<Scalar>::columns;
  const bool whole = diagonal >= right.columns;
  const Index least = (whole ? 2 : 4) * Tile::rows;  // the last bands of a triangle are low
  const Partition partition =
      Partition::shared(left.rows, std::max(least, work / (right.columns * left.columns)), Index{Tile::lanes});
  const auto begin = [&](Index b) {
    if (whole || b == partition.count) return partition.first(b);
    // Above row i about d i + i^2 / 2 elements are computed.
    const auto d = static_cast<double>(diagonal), n = static_cast<double>(left.rows);
    const double share = (d * n + n * n / 2) * static_cast<double>(b) / static_cast<double>(partition.count);
    const double row = std::sqrt(d * d + 2 * share) - d;
    return static_cast<Index>(row / Tile::lanes + 0.5) * Tile::lanes;
  };
  worker.parallel_for_leaves(partition.count, [&](Index b, const Worker<Scalar>& own) {
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
  using Column = Eigen::Map<const Vector<Scalar>>;
  const ConstView<Scalar> matrix = left.stored();
  const auto column = [&](Index j) { return Column{matrix.address(0, j), matrix.rows()}; };
  if (left.transposed) {
    const Column x{right.data, right.rows};
    for (Index j = 0; j < matrix.cols(); ++j) out(j, 0) += alpha * column(j).dot(x);
    return;
  }
  Eigen::Map<Vector<Scalar>> y{out.data(), out.rows()};
  const auto x = [&](Index j) { return alpha * right.data[j]; };
  Index j = 0;
  for (; j + 4 <= matrix.cols(); j += 4) {
    y += (x(j) * column(j) + x(j + 1) * column(j + 1)) + (x(j + 2) * column(j + 2) + x(j + 3) * column(j + 3));
  }
  for (; j < matrix.cols(); ++j) y += x(j) * column(j);
}

/// A column times a row, as the gradient of one sample is: register tiles would have no depth to sum up, and took
/// twice as long (a tenth of Adam's step on one sample).
template <class Scalar>
void multiply_outer(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right,
                    View<Scalar> out, Scalar alpha, const Addend<Scalar>& addend) {
  const Eigen::Map<const Vector<Scalar>> column{left.data, out.rows()};
  const ConstView<Scalar> row = right.stored();
  worker.parallel_ranges(out.cols(), out.rows(), [&](Index first, Index count) {
    for (Index j = first; j < first + count; ++j) {
      const Scalar factor = alpha * (right.transposed ? row(j, 0) : row(0, j));
      Eigen::Map<Vector<Scalar>> result{out.address(0, j), out.rows()};
      if (addend.empty()) {
        result = factor * column;
      } else {
        const Eigen::Map<const Vector<Scalar>> before{addend.data + j * addend.stride, out.rows()};
        result = addend.factor * before + factor * column;
      }
    }
  });
}

#ifdef EIGEN_USE_BLAS
/// By the BLAS that Eigen is configured to use, each column band in one call.
template <class Scalar>
void multiply_blas(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right,
                   View<Scalar> out, Scalar alpha, const Addend<Scalar>& addend) {
  constexpr Index work = Index{1} << 23;
  const Partition columns =
      Partition::shared(right.columns, std::max<Index>(work / (left.rows * left.columns), 32), 32);
  worker.parallel_for_leaves(columns.count, [&](Index c, const Worker<Scalar>&) {
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

/// Which part of a product is computed.
enum class Part { all, lower };

template <class Scalar>
void multiply_part(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right,
                   View<Scalar> out, Scalar alpha, const Addend<Scalar>& addend, Part part) {
  eigen_assert(left.columns == right.rows && out.rows() == left.rows && out.cols() == right.columns);
  if (out.size() == 0) return;
  if (left.columns == 0) return begin_sum(out, addend);
  if (out.cols() == 1 && !right.transposed) {
    begin_sum(out, addend);
    return multiply_vector(left, right, out, alpha);
  }
  if (left.columns == 1 && !left.transposed) return multiply_outer(worker, left, right, out, alpha, addend);
#ifdef EIGEN_USE_BLAS
  multiply_blas(worker, left, right, out, alpha, addend);
  (void)part;
#else
  const Partition depths{left.columns, ThreadMemory<Scalar>::depth, 8};
  const Partition rows{left.rows, ThreadMemory<Scalar>::rows, RegisterTile<Scalar>::rows};
  for (Index d = 0; d < depths.count; ++d) {
    const Factor<Scalar> slab = left.column_range(depths.first(d), depths.size(d));
    const ProductOutput<Scalar> whole{out.data(), out.outerStride(), alpha, d == 0 ? addend : out};
    for (Index r = 0; r < rows.count; ++r) {
      const Factor<Scalar> left_part = slab.row_range(rows.first(r), rows.size(r));
      const Factor<Scalar> right_part = right.row_range(depths.first(d), depths.size(d));
      const ProductOutput<Scalar> out_part = whole.part(rows.first(r), 0);
      const Index diagonal = part == Part::lower ? rows.first(r) : right.columns;
      const bool near = right_part.rows * right_part.columns <= ThreadMemory<Scalar>::room / 4;
      if (needs_packing(left) && near) {
        multiply_bands(worker, left_part, right_part, out_part, diagonal);
      } else {
        multiply_cells(worker, left_part, right_part, out_part, diagonal);
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
void multiply(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right, View<Scalar> out,
              Scalar alpha = Scalar(1), const Addend<Scalar>& addend = {}) {
  detail::multiply_part(worker, left, right, out, alpha, addend, detail::Part::all);
}

/// The same for a product that is symmetric, as that with the own transpose, and an addend that is: at half the price.
template <class Scalar>
void multiply_symmetric(const Worker<Scalar>& worker, const Factor<Scalar>& left, const Factor<Scalar>& right,
                        View<Scalar> out, Scalar alpha = Scalar(1), const Addend<Scalar>& addend = {}) {
  detail::multiply_part(worker, left, right, out, alpha, addend, detail::Part::lower);
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
  worker.parallel_for_leaves((out.cols() + band - 1) / band, [&](Index b, const Worker<Scalar>&) {
    const Index end = std::min((b + 1) * band, out.cols());
    for (Index first = b * band; first < end; first += Tile::lanes) {
      mirror(first, std::min<Index>(first + Tile::lanes, end));
    }
  });
}

}  // namespace altmin
