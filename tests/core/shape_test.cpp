#include "altmin/core/shape.hpp"

#include <limits>

#include "catch.hpp"

using altmin::Index;
using altmin::Shape;
using altmin::ShapeError;

TEST_CASE("a shape has a size and a text", "[shape]") {
  CHECK(Shape{784}.size() == 784);
  CHECK(Shape(3, 32, 16).size() == 1536);
  CHECK(to_string(Shape{784}) == "784");
  CHECK(to_string(Shape{3, 32, 16}) == "3 x 32 x 16");
  CHECK(to_string(Shape{3, 1, 16}) == "3 x 1 x 16");
  CHECK(Shape{6} == Shape(6, 1, 1));
  CHECK_FALSE(Shape{6} == Shape(1, 2, 3));
  CHECK_FALSE(Shape(1, 2, 3) == Shape(1, 3, 2));
}

TEST_CASE("a shape whose size no index holds is an error", "[shape]") {
  constexpr Index half = Index{1} << 32U;
  CHECK_THROWS_WITH(Shape(half, half, 1).size(),
                    "shape 4294967296 x 4294967296 x 1: expected at most 2^62 features, got more");
  CHECK_THROWS_AS(Shape(1, half, half).size(), ShapeError);
  CHECK_THROWS_AS(Shape(half, half, half).size(), ShapeError);
  CHECK_THROWS_AS(Shape(half, half / 2, 1).size(), ShapeError);
  CHECK_THROWS_AS(Shape(1000003, 1000003, 18446744).size(), ShapeError);
  CHECK_THROWS_AS(Shape(half, half, -1).size(), ShapeError);
  CHECK_THROWS_AS(Shape{std::numeric_limits<Index>::max()}.size(), ShapeError);
  CHECK(Shape(half, half, 0).size() == 0);
  CHECK(Shape(0, half, half).size() == 0);
  CHECK(Shape(half, 1, half / 4).size() == Index{1} << 62U);
  CHECK(Shape{-1}.size() == -1);
}
