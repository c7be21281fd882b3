#pragma once

#include <algorithm>

#include "altmin/kernels/factor.hpp"
#include "altmin/kernels/register_tile.hpp"
#include "altmin/parallel/worker.hpp"

namespace altmin::detail {

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
RightPanel<Scalar> right_panel(const Worker<Scalar>& worker, const Factor<Scalar>& right, Index first, Index count) {
  if (!right.transposed) return {right.data + first * right.stride, 1, right.stride};
  constexpr Index width = ThreadMemory<Scalar>::columns;
  Scalar* const packed = worker.packing().right();
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
  LeftPanels(const Worker<Scalar>& worker, const Factor<Scalar>& left) : left_{left}, packed_{worker.packing().left()} {
    const Index panels = (left.rows + Tile::rows - 1) / Tile::rows;
    const Index last = left.rows - (panels - 1) * Tile::rows;
    first_packed_ = needs_packing(left) ? 0 : Tile::whole_packets(last) > left.rows ? panels - 1 : panels;
    worker.parallel_for_leaves(panels - first_packed_, [&](Index p, const Worker<Scalar>&) {
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

}  // namespace altmin::detail
