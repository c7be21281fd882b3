#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "altmin/core/types.hpp"

// Compilers keep an array in registers only where every index into it is a constant.
#if defined(__clang__)
#define ALTMIN_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define ALTMIN_UNROLL _Pragma("GCC unroll 8")
#else
#define ALTMIN_UNROLL
#endif

// GCC would load a packet once more for each use, and processors load less than they multiply.
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define ALTMIN_KEEP_LOADED(packet) __asm__("" : "+v"(packet))
// And it would derive a pointer from another one again.
#define ALTMIN_KEEP_APART(pointer) __asm__("" : "+r"(pointer))
#else
#define ALTMIN_KEEP_LOADED(packet)
#define ALTMIN_KEEP_APART(pointer)
#endif

namespace altmin {

/// What a product is added to: `factor` times a matrix of its shape, which is the product's own output or lies apart
/// from it. By default nothing.
template <class Scalar>
struct Addend {
  Addend() = default;
  Addend(const Scalar* place, Index step, Scalar times = Scalar(1)) : data{place}, stride{step}, factor{times} {}
  template <class Derived>
  Addend(const Eigen::DenseBase<Derived>& matrix, Scalar times = Scalar(1))  // NOLINT(google-explicit-constructor)
      : Addend{matrix.derived().data(), matrix.derived().outerStride(), times} {
    static_assert(!Derived::IsRowMajor || Derived::ColsAtCompileTime == 1, "an addend is stored by columns");
    static_assert(Derived::InnerStrideAtCompileTime == 1, "the columns of an addend are contiguous");
  }

  /// The same vector in each column.
  static Addend each_column(const Scalar* vector) { return {vector, 0}; }

  Addend part(Index i, Index j) const { return empty() ? Addend{} : Addend{data + i + j * stride, stride, factor}; }
  bool empty() const { return data == nullptr; }

  const Scalar* data = nullptr;
  Index stride = 0;  // from column to column
  Scalar factor = 1;
};

namespace detail {

/// Some rows of a left factor: (i, k) stands at data[i + k * step].
template <class Scalar>
struct LeftPanel {
  LeftPanel from_row(Index i) const { return {data + i, step, above}; }
  void advance(const Scalar*& a, Index) const { a += step; }
  const Scalar* begin() const { return data - above; }
  // Columns that lie apart escape the processor's own prefetching.
  const Scalar* ahead(const Scalar* a) const { return a + 16 * step; }

  const Scalar* data;
  Index step;
  Index above = 0;  // rows above these that make them whole packets, for reading alone
};

/// The same where each column has a place of its own: (i, k) stands at data[i + offsets[k]].
template <class Scalar>
struct ScatteredLeftPanel {
  const Scalar* begin() const { return data + offsets[0]; }
  void advance(const Scalar*& a, Index next) const { a = data + offsets[next]; }
  const Scalar* ahead(const Scalar* a) const { return a; }

  const Scalar* data;
  const std::int32_t* offsets;  // with one more behind the last
  static constexpr Index above = 0;
};

/// A right factor: (k, j) stands at data[k * row_step + j * column_step], and one of the steps is 1.
template <class Scalar>
struct RightPanel {
  RightPanel from_column(Index j) const { return {data + j * column_step, row_step, column_step}; }

  const Scalar* data;
  Index row_step;
  Index column_step;
};

/// The same, its rows contiguous.
template <class Scalar>
struct RightRows {
  RightRows from_column(Index j) const { return {data + j, step}; }
  const Scalar* begin() const { return data; }
  void advance(const Scalar*& b) const { b += step; }
  const Scalar& at(const Scalar* b, Index j) const { return b[j]; }

  const Scalar* data;
  Index step;
};

/// The same, its columns contiguous.
template <class Scalar>
struct RightColumns {
  /// A row. With one pointer alone, the distances of eight columns would not fit into the general registers.
  struct Row {
    const Scalar* first;
    const Scalar* fifth;
  };

  RightColumns from_column(Index j) const { return {data + j * step, step}; }
  Row begin() const { return {data, data + 4 * step}; }
  void advance(Row& row) const {
    ++row.first;
    ++row.fifth;
    ALTMIN_KEEP_APART(row.fifth);
  }
  const Scalar& at(const Row& row, Index j) const { return j < 4 ? row.first[j * step] : row.fifth[(j - 4) * step]; }

  const Scalar* data;
  Index step;
};

/// The same, its columns contiguous, each with a place of its own: (k, j) stands at data[k + offsets[j]].
template <class Scalar>
struct ScatteredRightColumns {
  ScatteredRightColumns from_column(Index j) const { return {data, offsets + j}; }
  const Scalar* begin() const { return data; }
  void advance(const Scalar*& b) const { ++b; }
  const Scalar& at(const Scalar* b, Index j) const { return b[offsets[j]]; }

  const Scalar* data;
  const std::int32_t* offsets;
};

/// Where a product goes, by columns: alpha times it plus the addend.
template <class Scalar>
struct ProductOutput {
  ProductOutput part(Index i, Index j) const { return {data + i + j * stride, stride, alpha, addend.part(i, j)}; }
  ProductOutput from_column(Index j) const { return part(0, j); }
  Scalar* column(Index j) const { return data + j * stride; }
  const Scalar* addend_column(Index j) const { return addend.data + j * addend.stride; }
  bool adds() const { return !addend.empty(); }
  Scalar factor() const { return addend.factor; }

  Scalar* data;
  Index stride;
  Scalar alpha;
  Addend<Scalar> addend;
};

/// The same where each column has a place of its own, to which it is added.
template <class Scalar>
struct ScatteredOutput {
  ScatteredOutput from_column(Index j) const { return {data, offsets + j}; }
  Scalar* column(Index j) const { return data + offsets[j]; }
  const Scalar* addend_column(Index j) const { return column(j); }
  static constexpr bool adds() { return true; }
  static constexpr Scalar factor() { return 1; }

  Scalar* data;
  const std::int32_t* offsets;
  static constexpr Scalar alpha = 1;
};

/// The part of a product that fits into vector registers, where it stays while all of the depth is summed up: what a
/// product consists of. Each element is one chain of multiply-adds in the order of the depth, whatever tile it is in.
template <class Scalar>
struct RegisterTile {
  using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
  static constexpr int lanes = Eigen::internal::packet_traits<Scalar>::size;
  static constexpr int rows = 3 * lanes;
  static constexpr int columns = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 8 : 4;
  static constexpr int few_columns = 4;  // the least that keep a processor busy

  static constexpr Index whole_packets(Index length) { return (length + lanes - 1) / lanes * lanes; }

  /// The product of up to `rows` rows and any number of columns. The left panel can be read in whole
  /// packets, from its begin() on.
  static void multiply(const LeftPanel<Scalar>& left, const RightPanel<Scalar>& right, Index depth, Index row_count,
                       Index column_count, const ProductOutput<Scalar>& out) {
    if (right.column_step == 1) {
      multiply(left, RightRows<Scalar>{right.data, right.row_step}, depth, row_count, column_count, out);
    } else {
      multiply(left, RightColumns<Scalar>{right.data, right.column_step}, depth, row_count, column_count, out);
    }
  }

  template <class Left, class Right, class Output = ProductOutput<Scalar>>
  static void multiply(const Left& left, const Right& right, Index depth, Index row_count, Index column_count,
                       const Output& out) {
    if (row_count > 2 * lanes) {
      multiply_rows<3>(left, right, depth, row_count, column_count, out);
    } else if (row_count > lanes) {
      multiply_rows<2>(left, right, depth, row_count, column_count, out);
    } else {
      multiply_rows<1>(left, right, depth, row_count, column_count, out);
    }
  }

  /// Copies rows of a left factor to where they follow each other closely, `rows` to a column; what stands below them
  /// is of no account. (i, k) stands at from[i * row_step + k * column_step], and one of the steps is 1.
  static void pack(const Scalar* from, Index row_step, Index column_step, Index row_count, Index depth, Scalar* to) {
    using namespace Eigen::internal;
    for (Index i = 0; i < row_count; i += lanes) {
      const Index count = std::min<Index>(lanes, row_count - i);
      Index k = 0;
      if (row_step == 1) {
        const Index whole = std::max<Index>(i + count - lanes, 0);
        const Index end = whole_columns(row_count, column_step, depth);
        for (; k < end; ++k) pstoreu(to + whole + k * rows, ploadu<Packet>(from + whole + k * column_step));
      } else if (row_step > 1) {
        for (; k + lanes <= depth; k += lanes)
          transpose(from + i * row_step + k, row_step, to + i + k * rows, rows, count);
      }
      for (; k < depth; ++k) {
        for (Index r = i; r < i + count; ++r) to[r + k * rows] = from[r * row_step + k * column_step];
      }
    }
  }

  /// Copies a square of `lanes` columns, `from_step` apart, to where they are rows. With a `count` below `lanes` only
  /// so many columns are read, and the last is repeated.
  static void transpose(const Scalar* from, Index from_step, Scalar* to, Index to_step, Index count = lanes) {
    using namespace Eigen::internal;
    PacketSquare square;
    for (int r = 0; r < lanes; ++r) square.packet[r] = ploadu<Packet>(from + std::min<Index>(r, count - 1) * from_step);
    ptranspose(square);
    for (int q = 0; q < lanes; ++q) pstoreu(to + q * to_step, square.packet[q]);
  }

  /// Copies some columns of a right factor that is stored by rows, (k, j) at from[k * stride + j], to where rows of
  /// `width` follow each other.
  static void pack_right(const Scalar* from, Index stride, Index depth, Index column_count, Scalar* to, Index width) {
    for (Index k = 0; k < depth; ++k) std::copy_n(from + k * stride, column_count, to + k * width);
  }

 private:
  /// How many columns of some rows can be read in whole packets. One that would not be full begins above, with rows of
  /// the packet before. Where there is none, it runs on into the next columns: they must follow without a gap, and the
  /// last ones have too few behind them.
  static Index whole_columns(Index row_count, Index column_step, Index depth) {
    if (row_count >= lanes) return depth;
    return column_step == row_count ? std::max<Index>(depth + 1 - (lanes + row_count - 1) / row_count, 0) : 0;
  }

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of vector types as template arguments: no harm
#endif
  using PacketSquare = Eigen::internal::PacketBlock<Packet, lanes>;
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

  template <int Packets, class Left, class Right, class Output>
  static void multiply_rows(const Left& left, const Right& right, Index depth, Index row_count, Index column_count,
                            const Output& out) {
    Index j = 0;
    for (; j + columns <= column_count; j += columns) {
      tile<Packets, columns>(left, right.from_column(j), depth, row_count, out.from_column(j));
    }
    for (; j + columns / 2 <= column_count; j += columns / 2) {
      tile<Packets, columns / 2>(left, right.from_column(j), depth, row_count, out.from_column(j));
    }
    for (; j < column_count; ++j) {
      tile<Packets, 1>(left, right.from_column(j), depth, row_count, out.from_column(j));
    }
  }

  // Not inline: what stands around it would take its registers.
  template <int Packets, int Columns, class Left, class Right, class Output>
  EIGEN_DONT_INLINE static void tile(Left left, Right right, Index depth, Index row_count, Output out) {
    using namespace Eigen::internal;
    const Scalar* a = left.begin();
    auto b = right.begin();
    Packet sums[std::size_t{Columns}][std::size_t{Packets}];
    ALTMIN_UNROLL
    for (int j = 0; j < Columns; ++j) {
      ALTMIN_UNROLL
      for (int p = 0; p < Packets; ++p) sums[j][p] = pset1<Packet>(Scalar(0));
    }
    for (Index k = 0; k < depth; ++k) {
      Packet column[std::size_t{Packets}];
      ALTMIN_UNROLL
      for (int p = 0; p < Packets; ++p) {
        column[p] = ploadu<Packet>(a + p * lanes);
        ALTMIN_KEEP_LOADED(column[p]);
      }
      ALTMIN_UNROLL
      for (int j = 0; j < Columns; ++j) {
        const Packet factor = pset1<Packet>(right.at(b, j));
        ALTMIN_UNROLL
        for (int p = 0; p < Packets; ++p) sums[j][p] = pmadd(column[p], factor, sums[j][p]);
      }
      ALTMIN_UNROLL
      for (int p = 0; p < Packets; ++p) prefetch(left.ahead(a) + p * lanes);
      left.advance(a, k + 1);
      right.advance(b);
    }
    Scalar* places[std::size_t{Columns}];
    const Scalar* addends[std::size_t{Columns}];
    ALTMIN_UNROLL
    for (int j = 0; j < Columns; ++j) {
      places[j] = out.column(j);
      addends[j] = out.adds() ? out.addend_column(j) : nullptr;
    }
    if (row_count < Packets * lanes) {
      EIGEN_ALIGN_MAX Scalar buffer[std::size_t{Packets} * std::size_t{lanes}];
      ALTMIN_UNROLL
      for (int j = 0; j < Columns; ++j) {
        ALTMIN_UNROLL
        for (int p = 0; p < Packets; ++p) pstore(buffer + p * lanes, sums[j][p]);
        put(buffer + left.above, row_count, out.alpha, addends[j], out.factor(), places[j]);
      }
      return;
    }
    const Packet alpha = pset1<Packet>(out.alpha);
    const Packet factor = pset1<Packet>(out.factor());
    ALTMIN_UNROLL
    for (int j = 0; j < Columns; ++j) {
      ALTMIN_UNROLL
      for (int p = 0; p < Packets; ++p) {
        const Packet product = pmul(alpha, sums[j][p]);
        pstoreu(places[j] + p * lanes,
                out.adds() ? pmadd(factor, ploadu<Packet>(addends[j] + p * lanes), product) : product);
      }
    }
  }

  EIGEN_DONT_INLINE static void put(const Scalar* sums, Index count, Scalar alpha, const Scalar* addend, Scalar factor,
                                    Scalar* place) {
    for (Index i = 0; i < count; ++i) {
      const Scalar product = alpha * sums[i];
      place[i] = addend != nullptr ? factor * addend[i] + product : product;
    }
  }
};

/// Dot products of long lines with others, as many as fit into vector registers. Each sum stays spread over the lanes
/// of a packet, so that further lines can be added.
template <class Scalar>
struct DotTile {
  using Packet = typename RegisterTile<Scalar>::Packet;
  static constexpr int lanes = RegisterTile<Scalar>::lanes;
  static constexpr int lefts = 3;
  static constexpr int rights = RegisterTile<Scalar>::columns;

  /// Adds `lefts` times `rights` products to sums[(i * rights + j) * lanes], a packet each: of the lines at
  /// left + i * step and those at right + offsets[j], `length` being a multiple of `lanes`.
  EIGEN_DONT_INLINE static void add(const Scalar* left, Index step, const Scalar* right, const std::int32_t* offsets,
                                    Index length, Scalar* sums) {
    using namespace Eigen::internal;
    Packet totals[std::size_t{lefts}][std::size_t{rights}];
    ALTMIN_UNROLL
    for (int i = 0; i < lefts; ++i) {
      ALTMIN_UNROLL
      for (int j = 0; j < rights; ++j) totals[i][j] = ploadu<Packet>(sums + (i * rights + j) * lanes);
    }
    for (Index p = 0; p < length; p += lanes) {
      Packet values[std::size_t{lefts}];
      ALTMIN_UNROLL
      for (int i = 0; i < lefts; ++i) values[i] = ploadu<Packet>(left + i * step + p);
      ALTMIN_UNROLL
      for (int j = 0; j < rights; ++j) {
        Packet value = ploadu<Packet>(right + offsets[j] + p);
        ALTMIN_KEEP_LOADED(value);
        ALTMIN_UNROLL
        for (int i = 0; i < lefts; ++i) totals[i][j] = pmadd(values[i], value, totals[i][j]);
      }
    }
    ALTMIN_UNROLL
    for (int i = 0; i < lefts; ++i) {
      ALTMIN_UNROLL
      for (int j = 0; j < rights; ++j) pstoreu(sums + (i * rights + j) * lanes, totals[i][j]);
    }
  }
};

}  // namespace detail

}  // namespace altmin

#undef ALTMIN_UNROLL
#undef ALTMIN_KEEP_LOADED
#undef ALTMIN_KEEP_APART
