#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "altmin/losses/loss.hpp"

namespace altmin {

/// Solves r = -loss'(z + S r) for a small batch, z being the predictions (outputs x samples) and S a matrix over the
/// outputs of all samples, by Newton's method, damped. All in double.
template <class Scalar>
class ExactSolve {
 public:
  /// S becomes 0.
  void begin(Index outputs, Index samples) {
    const Index rows = outputs * samples;
    if (matrix_.rows() != rows || residual_.rows() != outputs) {
      matrix_.resize(rows, rows);
      jacobian_.resize(rows, rows);
      residual_.resize(outputs, samples);
      trial_.resize(outputs, samples);
      change_.resize(outputs, samples);
      lack_.resize(outputs, samples);
      trial_lack_.resize(outputs, samples);
      curvature_.resize(outputs, outputs);
      moved_.resize(outputs, samples);
      slopes_.resize(outputs, samples);
    }
    matrix_.setZero();
  }

  Matrix<double>& matrix() { return matrix_; }
  Matrix<double>& curvature() { return curvature_; }
  /// r, outputs x samples.
  Matrix<double>& solution() { return residual_; }

  /// False if numbers overflow.
  bool solve(const LossInterface<Scalar>& loss, const Target<Scalar>& target, ConstView<Scalar> prediction, int steps);

  Index bytes() const {
    return (matrix_.size() + jacobian_.size() + 5 * residual_.size()) * static_cast<Index>(sizeof(double));
  }

 private:
  using Column = Eigen::Map<Vector<double>>;

  /// lack = r + loss'(z + S r); returns its norm.
  double evaluate(const LossInterface<Scalar>& loss, const Target<Scalar>& target, ConstView<Scalar> prediction,
                  Matrix<double>& r, Matrix<double>& lack);

  /// jacobian x = right, by elimination with row pivots; both are overwritten.
  static bool eliminate(Matrix<double>& jacobian, Matrix<double>& right);

  Matrix<double> matrix_;
  Matrix<double> jacobian_;
  Matrix<double> residual_;
  Matrix<double> trial_;
  Matrix<double> change_;
  Matrix<double> lack_;
  Matrix<double> trial_lack_;
  Matrix<double> curvature_;
  Matrix<Scalar> moved_;
  Matrix<Scalar> slopes_;
};

template <class Scalar>
double ExactSolve<Scalar>::evaluate(const LossInterface<Scalar>& loss, const Target<Scalar>& target,
                                    ConstView<Scalar> prediction, Matrix<double>& r, Matrix<double>& lack) {
  const Column all{r.data(), r.size()};
  Column{change_.data(), change_.size()}.noalias() = matrix_ * all;
  moved_ = prediction + change_.template cast<Scalar>();
  loss.evaluate(moved_, target, slopes_);
  lack = r + slopes_.template cast<double>();
  return lack.norm();
}

template <class Scalar>
bool ExactSolve<Scalar>::solve(const LossInterface<Scalar>& loss, const Target<Scalar>& target,
                               ConstView<Scalar> prediction, int steps) {
  const Index outputs = prediction.rows();
  const Index samples = prediction.cols();
  const double enough = 1e-3 * std::sqrt(static_cast<double>(samples));
  residual_.setZero();
  double size = evaluate(loss, target, prediction, residual_, lack_);
  for (int step = 0; step < steps; ++step) {
    if (!std::isfinite(size)) return false;
    if (step > 0 && size < enough) break;
    jacobian_.setIdentity();
    for (Index t = 0; t < samples; ++t) {
      loss.curvature(ConstView<Scalar>{moved_}.slice(t, 1), curvature_);
      jacobian_.middleRows(t * outputs, outputs).noalias() +=
          curvature_.lazyProduct(matrix_.middleRows(t * outputs, outputs));
    }
    if (!eliminate(jacobian_, lack_)) return false;
    double share = 1;
    bool lower = false;
    for (int halving = 0; halving <= 6 && !lower; ++halving, share /= 2) {
      trial_ = residual_ - share * lack_;
      const double next = evaluate(loss, target, prediction, trial_, trial_lack_);
      lower = next < size;
      if (lower) size = next;
    }
    if (!lower) break;
    residual_.swap(trial_);
    lack_.swap(trial_lack_);
  }
  return residual_.allFinite();
}

template <class Scalar>
bool ExactSolve<Scalar>::eliminate(Matrix<double>& a, Matrix<double>& right) {
  const Index n = a.rows();
  Column x{right.data(), n};
  for (Index k = 0; k < n; ++k) {
    Index pivot = k;
    a.col(k).tail(n - k).cwiseAbs().maxCoeff(&pivot);
    pivot += k;
    if (!(std::abs(a(pivot, k)) > 0) || !std::isfinite(a(pivot, k))) return false;
    if (pivot != k) {
      for (Index j = k; j < n; ++j) std::swap(a(k, j), a(pivot, j));
      std::swap(x(k), x(pivot));
    }
    const double inverse = 1 / a(k, k);
    for (Index i = k + 1; i < n; ++i) a(i, k) *= inverse;
    for (Index j = k + 1; j < n; ++j) {
      const double factor = a(k, j);
      for (Index i = k + 1; i < n; ++i) a(i, j) -= a(i, k) * factor;
    }
    for (Index i = k + 1; i < n; ++i) x(i) -= a(i, k) * x(k);
  }
  for (Index k = n; k-- > 0;) {
    x(k) /= a(k, k);
    for (Index i = 0; i < k; ++i) x(i) -= a(i, k) * x(k);
  }
  return true;
}

}  // namespace altmin
