#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// What a parameter is to be.
struct ParameterShape {
  /// The shape that PyTorch gives it, and files: the rows, one after another, are its numbers in the same order.
  std::vector<Index> tensor() const {
    if (!kernel.empty()) return kernel;
    if (is_weight || columns != 1) return {rows, columns};
    return {rows};  // a list
  }

  const char* name;
  Index rows;
  Index columns;
  bool is_weight = false;
  std::vector<Index> kernel = {};                           // of a convolution: outputs x inputs x height x width
  double least = -std::numeric_limits<double>::infinity();  // of each number: files that hold less are refused
};

/// One array that is learned, such as a layer's weight matrix: readable, settable, freezable.
template <class Scalar>
class Parameter {
 public:
  explicit Parameter(ParameterShape shape)
      : shape_{std::move(shape)}, values_{Matrix<Scalar>::Zero(shape_.rows, shape_.columns)} {}

  Parameter(const char* name, Index rows, Index columns, bool is_weight = false)
      : Parameter{ParameterShape{name, rows, columns, is_weight}} {}

  /// "weight", "bias": the names that PyTorch uses.
  const char* name() const { return shape_.name; }

  /// A weight multiplies what comes in from below: weight decay and lambda_weight act on these alone.
  bool is_weight() const { return shape_.is_weight; }

  const ParameterShape& shape() const { return shape_; }

  const Matrix<Scalar>& value() const { return values_; }

  /// For changing single coefficients in place.
  View<Scalar> values() { return values_; }
  Matrix<Scalar>& matrix() { return values_; }

  /// Replaces all values; throws ShapeError, and changes nothing, if the shape differs.
  void set(const ConstRef<Scalar>& values) {
    if (values.rows() != values_.rows() || values.cols() != values_.cols()) {
      throw ShapeError(std::string("parameter '") + name() + "': expected " +
                       detail::shape_text(values_.rows(), values_.cols()) + ", got " +
                       detail::shape_text(values.rows(), values.cols()));
    }
    values_ = values;
  }

  /// A frozen parameter is read by training, never changed.
  bool frozen() const { return frozen_; }
  void freeze(bool frozen = true) { frozen_ = frozen; }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("value", self.values_...);
    visit("frozen", self.frozen_...);
  }

 private:
  ParameterShape shape_;
  bool frozen_ = false;
  Matrix<Scalar> values_;
};

}  // namespace altmin
