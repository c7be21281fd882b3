#pragma once

#include <string>
#include <utility>

#include "altmin/core/buffer.hpp"
#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// What a parameter is to be.
struct ParameterShape {
  const char* name;
  Index rows;
  Index columns;
  bool is_weight = false;
};

/// One array that is learned, such as a layer's weight matrix: readable, settable, freezable.
template <class Scalar>
class Parameter {
 public:
  Parameter(const char* name, Index rows, Index columns, bool is_weight = false)
      : name_{name}, is_weight_{is_weight}, values_{Matrix<Scalar>::Zero(rows, columns)} {}

  explicit Parameter(const ParameterShape& shape) : Parameter{shape.name, shape.rows, shape.columns, shape.is_weight} {}

  /// "weight", "bias": the names that PyTorch uses.
  const char* name() const { return name_; }

  /// A weight multiplies what comes in from below: weight decay and lambda_weight act on these alone.
  bool is_weight() const { return is_weight_; }

  const Matrix<Scalar>& value() const { return values_; }

  /// For changing single coefficients in place.
  View<Scalar> values() { return values_; }

  /// Replaces all values; throws ShapeError, and changes nothing, if the shape differs.
  void set(const ConstRef<Scalar>& values) {
    if (values.rows() != values_.rows() || values.cols() != values_.cols()) {
      throw ShapeError(std::string("parameter '") + name_ + "': expected " +
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
  const char* name_;
  bool is_weight_;
  bool frozen_ = false;
  Matrix<Scalar> values_;
};

}  // namespace altmin
