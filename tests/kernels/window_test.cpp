#include "altmin/kernels/window.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "altmin/core/random.hpp"
#include "altmin/kernels/plain.hpp"
#include "catch.hpp"

namespace windows {

using altmin::Extent;
using altmin::Index;
using altmin::Matrix;
using altmin::Random;
using altmin::Seed;
using altmin::Vector;
using altmin::detail::ShiftedImage;
using altmin::detail::Window;

Index draw(Random& random, Index least, Index below) {
  return least + static_cast<Index>(random.below(static_cast<std::uint32_t>(below - least)));
}

Window random_window(Random& random) {
  const Extent kernel{draw(random, 1, 6), draw(random, 1, 6)};
  const Extent stride{draw(random, 1, 4), draw(random, 1, 4)};
  const Extent padding{draw(random, 0, kernel.height), draw(random, 0, kernel.width)};
  return {{draw(random, 1, 4), draw(random, 5, 25), draw(random, 5, 25)}, kernel, stride, padding};
}

/// Small integers: their sums are exact in any order.
template <class Scalar>
Vector<Scalar> integers(Index count, Random& random) {
  Vector<Scalar> result(count);
  for (auto& value : result) value = Scalar(static_cast<int>(random.below(7)) - 3);
  return result;
}

/// Calls use(image, top, left, rows, columns) for parts that make up all positions: all rows at once and a few at a
/// time or, with a width below that of all positions, parts of single rows.
template <class Use>
void for_each_division(const Window& window, Use&& use) {
  const auto divide = [&](Index height, Index width) {
    const ShiftedImage image{window, height, width};
    for (Index top = 0; top < window.height(); top += height) {
      for (Index left = 0; left < window.width(); left += width) {
        use(image, width, top, left, std::min(height, window.height() - top), std::min(width, window.width() - left));
      }
    }
  };
  divide(window.height(), window.width());
  divide(2, window.width());
  divide(1, 3);
}

}  // namespace windows

TEMPLATE_TEST_CASE("an image is laid out as its windows are, and added back to its pixels", "[window]", float, double) {
  using namespace windows;
  Random random{Seed{1}};
  for (int i = 0; i < 40; ++i) {
    const Window window = random_window(random);
    const auto& shape = window.input();
    CAPTURE(i, altmin::to_string(shape), window.kernel().height, window.kernel().width, window.stride().height,
            window.stride().width, window.padding().height, window.padding().width);
    const auto image = integers<TestType>(shape.size(), random);
    const Matrix<TestType> expected = altmin::detail::lay_out_plain(window, image.data());
    const Matrix<TestType> values =
        integers<TestType>(window.depth() * window.positions(), random).reshaped(window.depth(), window.positions());
    Vector<TestType> expected_sum = image;
    altmin::detail::add_back_plain(window, values, expected_sum.data());

    const auto whole = [&](bool back) {  // of a division of all positions, one after the other
      Vector<TestType> sum = image;
      Index seen = 0;
      for_each_division(
          window, [&](const ShiftedImage& shifted, Index width, Index top, Index left, Index rows, Index columns) {
            if (top == 0 && left == 0) sum = image;
            const auto offsets = shifted.offsets(shape.channels);
            Vector<TestType> memory = Vector<TestType>::Constant(shape.channels * shifted.channel_size(), TestType(99));
            if (back) {
              memory.setZero();
            } else {
              shifted.lay_out(image.data(), shape.channels, top, left / width, memory.data());
            }
            bool same = true;
            for (Index k = 0; k < window.depth(); ++k) {
              for (Index r = 0; r < rows; ++r) {
                for (Index c = 0; c < columns; ++c) {
                  auto& place = memory(offsets[static_cast<std::size_t>(k)] + r * width + c);
                  const Index position = (top + r) * window.width() + left + c;
                  if (back) {
                    place += values(k, position);
                  } else {
                    same = same && place == expected(k, position);
                  }
                }
              }
            }
            CHECK(same);
            if (back) shifted.add_back(memory.data(), shape.channels, top, left / width, sum.data());
            seen += rows * columns;
            if (back && seen % window.positions() == 0) CHECK(sum == expected_sum);
          });
      CHECK(seen == 3 * window.positions());
    };
    whole(false);
    whole(true);
  }
}
