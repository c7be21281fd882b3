#include "altmin/core/shape.hpp"

#include "catch.hpp"

using altmin::Shape;

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
