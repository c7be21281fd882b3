#include "altmin/losses/losses.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;
using support::roundings;

namespace {

template <class Scalar>
struct Evaluation {
  double sum;
  Matrix<Scalar> gradient;
};

template <class Scalar, class Loss>
Evaluation<Scalar> evaluate(const Loss& loss, const Matrix<Scalar>& prediction, const Target<Scalar>& target) {
  loss.check(prediction.rows(), target);
  Matrix<Scalar> gradient = Matrix<Scalar>::Constant(prediction.rows(), prediction.cols(), Scalar(1e10));
  const double sum = loss.evaluate(ConstView<Scalar>{prediction}, target, View<Scalar>{gradient});
  return {sum, gradient};
}

template <class Scalar, class Loss>
Evaluation<Scalar> evaluate(const Loss& loss, const Matrix<Scalar>& prediction, const std::vector<int>& labels) {
  return evaluate(loss, prediction, Target<Scalar>{labels.data(), static_cast<Index>(labels.size())});
}

template <class Scalar, class Loss>
Evaluation<Scalar> evaluate(const Loss& loss, const Matrix<Scalar>& prediction, const Matrix<Scalar>& values) {
  return evaluate(loss, prediction, Target<Scalar>{ConstView<Scalar>{values}});
}

/// One sample.
template <class Scalar>
Matrix<Scalar> column(std::initializer_list<double> scores) {
  Matrix<Scalar> result(static_cast<Index>(scores.size()), 1);
  Index i = 0;
  for (const double score : scores) result(i++, 0) = static_cast<Scalar>(score);
  return result;
}

template <class Scalar>
void check_close(const Evaluation<Scalar>& got, double sum, const Matrix<double>& gradient) {
  CHECK(std::abs(got.sum - sum) <= roundings<Scalar>() * std::abs(sum));
  CHECK(relative_error(got.gradient, gradient) < roundings<Scalar>());
}

/// The sum is that of the samples alone, and the gradients of each sample are the derivatives of its own loss.
template <class Loss, class Targets>
void check_derivatives(const Loss& loss, const Matrix<double>& prediction, const Targets& targets) {
  const auto sum = [&](const Matrix<double>& at) { return evaluate<double>(loss, at, targets).sum; };
  CHECK(relative_error(evaluate<double>(loss, prediction, targets).gradient,
                       support::numerical_gradient(prediction, sum)) < 1e-8);
}

}  // namespace

TEMPLATE_TEST_CASE("softmax cross-entropy is -log of the label's probability", "[losses]", float, double) {
  const SoftmaxCrossEntropy loss;
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({0, 0, 0, 0}), {2}), std::log(4),
                        column<double>({.25, .25, -.75, .25}));
  const double e = std::exp(1.);
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1, 2}), {0}), std::log(1 + e),
                        column<double>({-e / (1 + e), e / (1 + e)}));

  Random random{Seed{1}};
  const auto scores = random_matrix<TestType>(5, 4, random, -10, 10);
  const std::vector<int> labels{3, 0, 4, 3};
  long double expected = 0;
  for (Index t = 0; t < 4; ++t) {
    long double total = 0;
    for (Index k = 0; k < 5; ++k) total += std::exp(static_cast<long double>(scores(k, t)));
    expected += std::log(total) - static_cast<long double>(scores(labels[static_cast<std::size_t>(t)], t));
  }
  const double sum = evaluate<TestType>(loss, scores, labels).sum;
  CHECK(std::abs(sum / static_cast<double>(expected) - 1) < roundings<TestType>());

  // Into part of a larger matrix, whose rest stays.
  Matrix<TestType> frame = Matrix<TestType>::Constant(7, 5, 9);
  const View<TestType> inner{&frame(1, 1), 5, 4, frame.outerStride()};
  const Target<TestType> target{labels.data(), 4};
  CHECK(std::abs(loss.template evaluate<TestType>(scores, target, inner) / sum - 1) < roundings<TestType>());
  CHECK(relative_error(inner, evaluate<TestType>(loss, scores, target).gradient) < roundings<TestType>());
  CHECK((frame.array() == 9).count() == 15);
}

TEMPLATE_TEST_CASE("label smoothing mixes the losses of all classes", "[losses]", float, double) {
  Random random{Seed{1}};
  const auto scores = random_matrix<TestType>(5, 3, random, -10, 10);
  const std::vector<int> labels{3, 0, 4};
  const double share = 0.2;
  double sum = (1 - share) * evaluate<TestType>(SoftmaxCrossEntropy{}, scores, labels).sum;
  Matrix<double> gradient =
      (1 - share) * evaluate<TestType>(SoftmaxCrossEntropy{}, scores, labels).gradient.template cast<double>();
  for (int k = 0; k < 5; ++k) {
    const auto other = evaluate<TestType>(SoftmaxCrossEntropy{}, scores, std::vector<int>(3, k));
    sum += share / 5 * other.sum;
    gradient += share / 5 * other.gradient.template cast<double>();
  }
  const auto smooth = evaluate<TestType>(SoftmaxCrossEntropy{share}, scores, labels);
  CHECK(smooth.sum == Approx(sum).epsilon(10 * roundings<TestType>()));
  CHECK(relative_error(smooth.gradient, gradient) < 10 * roundings<TestType>());

  for (const double wrong : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(evaluate<TestType>(SoftmaxCrossEntropy{wrong}, scores, labels), OptionError);
  }
}

TEMPLATE_TEST_CASE("softmax cross-entropy stands extreme scores", "[losses]", float, double) {
  const SoftmaxCrossEntropy loss;
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1e30, -1e30, 0}), {0}), 0,
                        column<double>({0, 0, 0}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1e30, -1e30, 0}), {1}), 2e30,
                        column<double>({1, -1, 0}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({-1e30, -1e30}), {1}), std::log(2),
                        column<double>({.5, -.5}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({3e38, -3e38}), {1}), 6e38, column<double>({1, -1}));
}

TEMPLATE_TEST_CASE("mean squared error is the mean over a sample's outputs", "[losses]", float, double) {
  const MeanSquaredError loss;
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1, 2, 3}), column<TestType>({1, 0, 6})), 13. / 3,
                        column<double>({0, 4. / 3, -2}));
  Matrix<TestType> two(1, 2), zero = Matrix<TestType>::Zero(1, 2);
  two << 3, -1;
  CHECK(evaluate<TestType>(loss, two, zero).sum == 10);
  CHECK(evaluate<TestType>(loss, two, zero).gradient == 2 * two);
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1e30, 0}), column<TestType>({-1e30, 0})), 2e60,
                        column<double>({2e30, 0}));
}

TEMPLATE_TEST_CASE("logistic loss is log(1 + exp(-s z))", "[losses]", float, double) {
  const Logistic loss;
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({0}), {1}), std::log(2), column<double>({-.5}));
  const double e = std::exp(-2.);
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({2}), {1}), std::log1p(e),
                        column<double>({-e / (1 + e)}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({2}), {0}), 2 + std::log1p(e),
                        column<double>({1 / (1 + e)}));
  const double tail = std::exp(-30.);
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({30}), {1}), std::log1p(tail),
                        column<double>({-tail / (1 + tail)}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1e30}), {0}), 1e30, column<double>({1}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({-1e30}), {1}), 1e30, column<double>({-1}));
  CHECK(evaluate<TestType>(loss, column<TestType>({1e30}), {1}).sum == 0);
  CHECK(evaluate<TestType>(loss, column<TestType>({-1e30}), {0}).gradient(0) == 0);
}

TEMPLATE_TEST_CASE("hinge loss is the margin's violation", "[losses]", float, double) {
  const Hinge loss;
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1, 2, 1.5}), {1}), 0.5, column<double>({0, -1, 1}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1, 2, 1.5}), {0}), 2, column<double>({-1, 1, 0}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({2, 1, 2}), {1}), 2,
                        column<double>({1, -1, 0}));  // the first
  CHECK(evaluate<TestType>(loss, column<TestType>({3, 2, 1}), {0}).sum == 0);
  CHECK(evaluate<TestType>(loss, column<TestType>({3, 2, 1}), {0}).gradient.isZero(0));  // at the margin too
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({-1e30, 1e30}), {0}), 2e30, column<double>({-1, 1}));
  check_close<TestType>(evaluate<TestType>(loss, column<TestType>({1e30, 1e30}), {0}), 1, column<double>({-1, 1}));
  CHECK(evaluate<TestType>(loss, column<TestType>({-1e30, 1e30}), {1}).sum == 0);
}

TEST_CASE("gradients are the derivatives of the sum", "[losses]") {
  Random random{Seed{2}};
  const auto scores = random_matrix<double>(5, 7, random, -3, 3);
  const std::vector<int> labels{0, 4, 2, 2, 1, 3, 0};
  check_derivatives(SoftmaxCrossEntropy{}, scores, labels);
  check_derivatives(SoftmaxCrossEntropy{0.3}, scores, labels);
  check_derivatives(Hinge{}, scores, labels);
  check_derivatives(MeanSquaredError{}, scores, random_matrix<double>(5, 7, random));
  check_derivatives(Logistic{}, Matrix<double>(scores.topRows(1)), std::vector<int>{0, 1, 1, 0, 1, 0, 0});
}

TEMPLATE_TEST_CASE("the sum is that of the samples by themselves", "[losses]", float, double) {
  Random random{Seed{3}};
  const auto scores = random_matrix<TestType>(5, 3, random, -3, 3);
  const int labels[] = {4, 0, 2};
  const Target<TestType> target{labels, 3};
  const SoftmaxCrossEntropy loss;
  const auto all = evaluate<TestType>(loss, scores, target);
  double sum = 0;
  for (Index t = 0; t < 3; ++t) {
    const auto one = evaluate<TestType>(loss, Matrix<TestType>(scores.col(t)), target.slice(t, 1));
    CHECK(relative_error(one.gradient, all.gradient.col(t)) < roundings<TestType>());
    sum += one.sum;
  }
  CHECK(std::abs(all.sum / sum - 1) < roundings<TestType>());
}

TEMPLATE_TEST_CASE("what is not a number shows in the loss", "[losses]", float, double) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& scores :
       {column<TestType>({nan, 0, 0}), column<TestType>({0, nan, 0}), column<TestType>({0, 0, nan})}) {
    CHECK(std::isnan(evaluate<TestType>(SoftmaxCrossEntropy{}, scores, {0}).sum));
    CHECK(std::isnan(evaluate<TestType>(Hinge{}, scores, {0}).sum));
    CHECK(std::isnan(evaluate<TestType>(MeanSquaredError{}, scores, column<TestType>({0, 0, 0})).sum));
  }
  CHECK(std::isnan(evaluate<TestType>(Logistic{}, column<TestType>({nan}), {0}).sum));
}

TEMPLATE_TEST_CASE("an output that is infinite shows in the loss, whichever it is", "[losses]", float, double) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {infinity, -infinity, std::nan("")}) {
    for (Index k = 0; k < 4; ++k) {
      auto scores = column<TestType>({3, 2, 1, 0});
      scores(k) = static_cast<TestType>(value);
      for (const int label : {0, 1, 2, 3}) {
        CAPTURE(value, k, label);
        CHECK_FALSE(std::isfinite(evaluate<TestType>(SoftmaxCrossEntropy{}, scores, {label}).sum));
        CHECK_FALSE(std::isfinite(evaluate<TestType>(Hinge{}, scores, {label}).sum));
      }
      CHECK_FALSE(std::isfinite(evaluate<TestType>(MeanSquaredError{}, scores, column<TestType>({3, 2, 1, 0})).sum));
    }
    for (const int label : {0, 1}) {
      const auto score = column<TestType>({value});
      CHECK_FALSE(std::isfinite(evaluate<TestType>(Logistic{}, score, {label}).sum));
    }
  }
}

TEMPLATE_TEST_CASE("the largest outputs have the right loss, or one that is not finite", "[losses]", float, double) {
  // The losses of finite outputs are finite in double, so are those of float.
  const double largest = static_cast<double>(std::numeric_limits<float>::max());
  const auto scores = column<TestType>({largest, -largest, largest});
  const auto close = [](double got, double expected) { return std::abs(got - expected) <= 1e-6 * expected; };
  CHECK(close(evaluate<TestType>(SoftmaxCrossEntropy{}, scores, {0}).sum, std::log(2)));
  CHECK(close(evaluate<TestType>(SoftmaxCrossEntropy{}, scores, {1}).sum, 2 * largest));
  CHECK(evaluate<TestType>(Hinge{}, scores, {0}).sum == 1);
  CHECK(close(evaluate<TestType>(Hinge{}, scores, {1}).sum, 2 * largest));
  for (const double sign : {1.0, -1.0}) {
    const auto score = column<TestType>({sign * largest});
    CHECK(evaluate<TestType>(Logistic{}, score, {sign > 0 ? 1 : 0}).sum == 0);
    CHECK(close(evaluate<TestType>(Logistic{}, score, {sign > 0 ? 0 : 1}).sum, largest));
    // Of a single output the derivative is twice the error: where it overflows, the loss is not finite either.
    const auto squared = evaluate<TestType>(MeanSquaredError{}, score, column<TestType>({0}));
    CHECK(std::isfinite(squared.sum) == squared.gradient.allFinite());
    CHECK(std::isfinite(squared.sum) == std::is_same_v<TestType, double>);
  }
}

TEMPLATE_TEST_CASE("targets that do not fit are refused", "[losses]", float, double) {
  const int labels[] = {0, 1, 3, -1};
  const Target<TestType> first_two{labels, 2}, three{labels, 3}, last{labels + 3, 1};
  const Matrix<TestType> matrix = Matrix<TestType>::Zero(3, 2);
  const Target<TestType> values{ConstView<TestType>{matrix}};

  CHECK_NOTHROW(SoftmaxCrossEntropy{}.check<TestType>(4, three));
  CHECK_THROWS_WITH(SoftmaxCrossEntropy{}.check<TestType>(3, three),
                    "SoftmaxCrossEntropy: label of sample 2: expected 0 to 2, got 3");
  CHECK_THROWS_WITH(SoftmaxCrossEntropy{}.check<TestType>(3, last),
                    "SoftmaxCrossEntropy: label of sample 0: expected 0 to 2, got -1");
  CHECK_THROWS_AS(SoftmaxCrossEntropy{}.check<TestType>(3, last), DataError);
  CHECK_THROWS_WITH(SoftmaxCrossEntropy{}.check<TestType>(3, values),
                    "SoftmaxCrossEntropy: expected a vector of integer labels, got a matrix of values of 3 x 2");
  CHECK_THROWS_AS(SoftmaxCrossEntropy{}.check<TestType>(3, values), ShapeError);

  CHECK_NOTHROW(Hinge{}.check<TestType>(2, first_two));
  CHECK_THROWS_WITH(Hinge{}.check<TestType>(1, first_two), "Hinge: expected at least 2 outputs, got 1");
  CHECK_THROWS_WITH(Hinge{}.check<TestType>(2, three), "Hinge: label of sample 2: expected 0 to 1, got 3");

  CHECK_NOTHROW(Logistic{}.check<TestType>(1, first_two));
  CHECK_THROWS_WITH(Logistic{}.check<TestType>(2, first_two), "Logistic: expected a network of 1 output, got 2");
  CHECK_THROWS_WITH(Logistic{}.check<TestType>(1, three), "Logistic: label of sample 2: expected 0 to 1, got 3");

  CHECK_NOTHROW(MeanSquaredError{}.check<TestType>(3, values));
  CHECK_THROWS_WITH(MeanSquaredError{}.check<TestType>(2, values),
                    "MeanSquaredError: target: expected 2 x 2, got 3 x 2");
  CHECK_THROWS_WITH(MeanSquaredError{}.check<TestType>(3, three),
                    "MeanSquaredError: expected a matrix of values of 3 x 3, got 3 integer labels");
  Matrix<TestType> infinite = matrix;
  infinite(2, 1) = std::numeric_limits<TestType>::infinity();
  CHECK_THROWS_WITH(MeanSquaredError{}.check<TestType>(3, Target<TestType>{ConstView<TestType>{infinite}}),
                    "MeanSquaredError: target of sample 1 is not finite");
}

namespace {

/// A loss of one's own: the absolute error, summed over the outputs.
struct AbsoluteError {
  static constexpr const char* name = "AbsoluteError";

  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    detail::require_values(name, outputs, target);
  }
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    gradient = (prediction - target.values()).cwiseSign();
    return static_cast<double>((prediction - target.values()).cwiseAbs().sum());
  }
};

}  // namespace

TEST_CASE("any loss is what it was made of, one's own included", "[losses]") {
  using Loss = AnyLoss<double>;
  const auto prediction = column<double>({1, 2, -3}), values = column<double>({0, 2, 0});
  const Loss own{AbsoluteError{}};
  check_close<double>(evaluate<double>(*own, prediction, values), 4, column<double>({1, 0, -1}));
  CHECK(own->name() == std::string("AbsoluteError"));
  CHECK_THROWS_AS(own->check(2, Target<double>{ConstView<double>{values}}), ShapeError);
  CHECK(own == Loss{AbsoluteError{}});
  CHECK_FALSE(own == Loss{MeanSquaredError{}});
  CHECK(evaluate<double>(*AnyLoss<double>{Hinge{}}, prediction, std::vector<int>{0}).sum == 2);
}
