#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

template <class Scalar>
struct TrainTest;

/// Samples, one per column, each with a class label or with real targets. A value: copying it copies the samples.
/// Whether the numbers are finite is checked where they are used, by the network.
template <class Scalar>
class Dataset {
 public:
  /// No samples, of no features.
  Dataset() = default;

  /// Labelled samples: x is features x samples, y holds one label per sample. There are `classes` classes, or as many
  /// as the largest label asks for (classes = 0). Throws ShapeError for other sizes, DataError for labels below 0 or
  /// not below `classes`, OptionError for classes below 0.
  Dataset(Matrix<Scalar> x, Labels y, Index classes = 0) : x_{std::move(x)}, y_{std::move(y)}, shape_{x_.rows()} {
    require_count("labels", y_.size());
    detail::require_option(classes >= 0, "Dataset: classes", "must be 0 (count them) or above", double(classes));
    classes_ = count_classes(y_, classes);
  }

  /// Samples with real targets: x is features x samples, targets is outputs x samples. Throws ShapeError for other
  /// sizes.
  Dataset(Matrix<Scalar> x, Matrix<Scalar> targets)
      : x_{std::move(x)}, targets_{std::move(targets)}, shape_{x_.rows()}, has_labels_{false} {
    if (targets_.cols() == 1 && targets_.rows() == size() && size() > 1) {
      throw ShapeError("Dataset: targets are outputs x samples, expected columns " + detail::text(size()) +
                       ", got the vector " + detail::shape_text(targets_.rows(), 1) + " (transpose it)");
    }
    require_count("targets", targets_.cols());
  }

  /// The same from Eigen expressions, such as y.head(100) or targets.leftCols(100): integers are labels.
  template <class Derived, std::enable_if_t<std::is_same_v<typename Derived::Scalar, int>, int> = 0>
  Dataset(Matrix<Scalar> x, const Eigen::MatrixBase<Derived>& y, Index classes = 0)
      : Dataset{std::move(x), Labels(y), classes} {}

  template <class Derived, std::enable_if_t<std::is_same_v<typename Derived::Scalar, Scalar>, int> = 0>
  Dataset(Matrix<Scalar> x, const Eigen::MatrixBase<Derived>& targets)
      : Dataset{std::move(x), Matrix<Scalar>(targets)} {}

  /// Features x samples.
  const Matrix<Scalar>& x() const { return x_; }

  /// The samples to be changed in place; their number and size stay.
  View<Scalar> mutable_x() { return x_; }

  /// One label per sample. Throws DataError where there are real targets instead.
  const Labels& y() const {
    if (!has_labels_) throw DataError("Dataset: expected labels, got real targets (read them with targets())");
    return y_;
  }

  /// Outputs x samples. Throws DataError where there are labels instead.
  const Matrix<Scalar>& targets() const {
    if (has_labels_) throw DataError("Dataset: expected real targets, got labels (read them with y())");
    return targets_;
  }

  /// One weight a sample, for training (see Network::step); empty where they have none.
  const Vector<Scalar>& weights() const { return weights_; }

  /// Gives the samples weights. Throws ShapeError unless there is one a sample, DataError for one that is negative or
  /// not finite.
  void set_weights(Vector<Scalar> weights) {
    require_count("weights", weights.size());
    for (Index i = 0; i < weights.size(); ++i) {
      if (weights[i] >= Scalar(0) && detail::is_finite(weights[i])) continue;
      throw DataError("Dataset: sample " + detail::text(i) + ": expected a finite weight of 0 or more, got " +
                      detail::text(weights[i]));
    }
    weights_ = std::move(weights);
  }

  bool has_labels() const { return has_labels_; }
  Index features() const { return x_.rows(); }

  /// The shape of a sample: a column of features, until set_shape() says more.
  Shape shape() const { return shape_; }

  /// Tells that samples are images, channels x height x width. Throws ShapeError unless these make up features().
  void set_shape(Shape shape) {
    if (shape.size() != features()) {
      throw ShapeError("Dataset: expected a shape of " + detail::text(features()) + " features, got " +
                       to_string(shape));
    }
    shape_ = shape;
  }

  Index size() const { return x_.cols(); }

  /// How many classes the labels tell apart; 0 with real targets.
  Index classes() const { return classes_; }

  /// A copy of the first n samples, of as many classes. Throws OptionError unless n is in 0 .. size().
  Dataset take(Index n) const {
    require_range("take", n, 0, size());
    std::vector<Index> first(static_cast<std::size_t>(n));
    std::iota(first.begin(), first.end(), Index{0});
    return select({first.data(), n});
  }

  /// A copy of the samples of these numbers, in this order, of as many classes. Throws OptionError for a number outside
  /// 0 .. size() - 1.
  Dataset select(Span<const Index> samples) const {
    Dataset chosen;
    chosen.has_labels_ = has_labels_;
    chosen.classes_ = classes_;
    chosen.shape_ = shape_;
    chosen.x_.resize(x_.rows(), samples.size());
    chosen.y_.resize(has_labels_ ? samples.size() : 0);
    chosen.targets_.resize(targets_.rows(), has_labels_ ? 0 : samples.size());
    chosen.weights_.resize(weights_.size() > 0 ? samples.size() : 0);
    for (Index i = 0; i < samples.size(); ++i) {
      require_range("select", samples[i], 0, size() - 1);
      chosen.x_.col(i) = x_.col(samples[i]);
      if (weights_.size() > 0) chosen.weights_[i] = weights_[samples[i]];
      if (has_labels_) {
        chosen.y_[i] = y_[samples[i]];
      } else {
        chosen.targets_.col(i) = targets_.col(samples[i]);
      }
    }
    return chosen;
  }

  /// Two copied parts in shuffled order: `train` is how many samples (an integer) or which fraction of them (a floating
  /// point number) go to the training part, the others go to the test part. Throws OptionError where a part is empty.
  template <class Amount>
  TrainTest<Scalar> split(Amount train, Seed seed = {}) const {
    static_assert(std::is_arithmetic_v<Amount>, "split takes a number of samples or a fraction of them");
    Index count = 0;
    if constexpr (std::is_floating_point_v<Amount>) {
      detail::require_option(train > 0 && train < 1, "Dataset: split", "must be above 0 and below 1", double(train));
      count = static_cast<Index>(std::llround(double(train) * double(size())));
    } else {
      count = static_cast<Index>(train);
    }
    require_range("split", count, 1, size() - 1);
    std::vector<Index> order(static_cast<std::size_t>(size()));
    std::iota(order.begin(), order.end(), Index{0});
    Random{seed, split_stream}.shuffle(Span<Index>{order.data(), size()});
    return {select({order.data(), count}), select({order.data() + count, size() - count})};
  }

 private:
  static constexpr std::uint64_t split_stream = 0x5917;  // the same seed elsewhere draws other numbers

  void require_count(const char* what, Index got) const {
    if (got != size()) {
      throw ShapeError("Dataset: expected as many " + std::string(what) + " as samples, " + detail::text(size()) +
                       ", got " + detail::text(got));
    }
  }

  static void require_range(const char* what, Index got, Index low, Index high) {
    if (got < low || got > high) {
      throw OptionError("Dataset: " + std::string(what) + " must be in " + detail::text(low) + " .. " +
                        detail::text(high) + ", got " + detail::text(got));
    }
  }

  static Index count_classes(const Labels& y, Index classes) {
    Index largest = -1;
    for (Index i = 0; i < y.size(); ++i) {
      const Index label = y[i];
      if (label < 0 || (classes > 0 && label >= classes)) {
        throw DataError("Dataset: sample " + detail::text(i) + ": expected a label " +
                        (classes > 0 ? "in 0 .. " + detail::text(classes - 1) : "of 0 or above") + ", got " +
                        detail::text(label));
      }
      if (label > largest) largest = label;
    }
    return classes > 0 ? classes : largest + 1;
  }

  Matrix<Scalar> x_;
  Labels y_;
  Matrix<Scalar> targets_;
  Vector<Scalar> weights_;
  Shape shape_{0};
  Index classes_ = 0;
  bool has_labels_ = true;
};

/// A data set to learn from and one to be judged by.
template <class Scalar>
struct TrainTest {
  Dataset<Scalar> train;
  Dataset<Scalar> test;
};

}  // namespace altmin
