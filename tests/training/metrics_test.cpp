#include <altmin/altmin.hpp>
#include <cfenv>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;

namespace {

/// One Dense layer whose weights and bias are given: its output is known by hand.
Network<double> affine(const Matrix<double>& weight, const Vector<double>& bias) {
  Network<double> net{Layers<double>{weight.cols()}.add(Dense{weight.rows()}), SoftmaxCrossEntropy{}, Sgd{}};
  net.layers()[0].parameters()[0].set(weight);
  net.layers()[0].parameters()[1].set(bias);
  return net;
}

/// The definition: pairs of one sample of each label, won by the higher score, a tie being half a win.
double auc_by_pairs(const Vector<double>& scores, const Labels& labels) {
  double wins = 0;
  double pairs = 0;
  for (Index i = 0; i < labels.size(); ++i) {
    for (Index j = 0; j < labels.size(); ++j) {
      if (labels(i) != 1 || labels(j) != 0) continue;
      pairs += 1;
      wins += scores(i) > scores(j) ? 1 : scores(i) == scores(j) ? 0.5 : 0;
    }
  }
  return wins / pairs;
}

template <class T>
std::string streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

TEST_CASE("the area under the ROC curve equals its definition, ties included", "[metrics]") {
  Random random{Seed{3}};
  for (const std::uint32_t values : {2U, 5U, 1000U}) {  // few values: many ties
    Vector<double> scores(137);
    Labels labels(137);
    for (Index i = 0; i < scores.size(); ++i) {
      labels(i) = static_cast<int>(random.below(2));
      scores(i) = static_cast<double>(random.below(values)) + labels(i);
    }
    CHECK(roc_auc(scores, labels) == Approx(auc_by_pairs(scores, labels)).epsilon(1e-14));
  }
  Labels labels(4);
  labels << 0, 0, 1, 1;
  CHECK(roc_auc(Eigen::Vector4d{1, 2, 3, 4}, labels) == 1);
  CHECK(roc_auc(Eigen::Vector4d{4, 3, 2, 1}, labels) == 0);
  CHECK(roc_auc(Eigen::Vector4d{1, 1, 1, 1}, labels) == 0.5);
  CHECK(roc_auc(Eigen::Vector4f{1, 3, 2, 4}, labels) == 0.75);
  CHECK(roc_auc(Eigen::Vector4d{-INFINITY, 0, 0, INFINITY}, labels) == 0.875);
}

TEST_CASE("there is no area under the ROC curve without both labels, or with scores that are no numbers", "[metrics]") {
  CHECK(std::isnan(roc_auc(Eigen::Vector2d{1, 2}, Labels::Zero(2))));
  CHECK(std::isnan(roc_auc(Eigen::Vector2d{1, 2}, Labels::Ones(2))));
  CHECK(std::isnan(roc_auc(Eigen::Vector2d{1, NAN}, Labels::LinSpaced(2, 0, 1))));
  CHECK_THROWS_AS(roc_auc(Eigen::Vector3d{1, 2, 3}, Labels::Zero(2)), ShapeError);
}

TEST_CASE("evaluate counts classes by hand-made scores", "[metrics]") {
  const auto net = affine(Matrix<double>::Identity(3, 3), Vector<double>::Zero(3));
  Matrix<double> x(3, 5);  // the scores themselves
  x << 2, 0, 1, 0, 5,      //
      1, 3, 0, 0, 4,       //
      0, 0, 2, 1, 0;
  Labels y(5);
  y << 0, 1, 1, 2, 0;
  const Metrics metrics = evaluate(net, Dataset<double>{x, y});
  CHECK(metrics.samples == 5);
  CHECK(metrics.accuracy == Approx(0.8));
  Matrix<Index> expected(3, 3);
  expected << 2, 0, 0,  //
      0, 1, 1,          //
      0, 0, 1;
  CHECK(metrics.confusion == expected);
  CHECK(recall(metrics.confusion).isApprox(Eigen::Vector3d{1, 0.5, 1}));
  double loss = 0;
  for (Index t = 0; t < 5; ++t) loss -= x(y(t), t) - std::log(x.col(t).array().exp().sum());
  CHECK(metrics.loss == Approx(loss / 5).epsilon(1e-14));
  CHECK(std::isnan(metrics.auc));
}

TEST_CASE("evaluate works through more samples than one piece", "[metrics]") {
  const auto net = affine(Matrix<double>::Identity(2, 2), Vector<double>::Zero(2));
  Random random{Seed{4}};
  const Index samples = 10000;
  Matrix<double> x(2, samples);
  Labels y(samples);
  for (Index t = 0; t < samples; ++t) {
    y(t) = static_cast<int>(random.below(2));
    x.col(t) << random.normal(), random.normal() + y(t);
  }
  const Metrics metrics = evaluate(net, Dataset<double>{x, y});
  CHECK(metrics.confusion.sum() == samples);
  CHECK(metrics.loss == Approx(net.loss(x, y)).epsilon(1e-12));
  CHECK(metrics.accuracy == Approx((net.classify(x).array() == y.array()).cast<double>().mean()));
  CHECK(metrics.auc == Approx(roc_auc((x.row(1) - x.row(0)).transpose(), y)).epsilon(1e-14));
}

TEST_CASE("one output separates two classes", "[metrics]") {
  Network<float> net{Layers<float>{1}.add(Dense{1}), Logistic{}, Sgd{}};
  net.layers()[0].parameters()[0].set(Matrix<float>::Ones(1, 1));
  net.layers()[0].parameters()[1].set(Matrix<float>::Zero(1, 1));
  Matrix<float> x(1, 4);
  x << -1, 0, 1, 2;
  Labels y(4);
  y << 0, 1, 0, 1;
  const Metrics metrics = evaluate(net, Dataset<float>{x, y});
  CHECK(metrics.accuracy == 0.5);
  Matrix<Index> expected(2, 2);
  expected << 1, 1, 1, 1;
  CHECK(metrics.confusion == expected);
  CHECK(metrics.auc == 0.75);
  CHECK_THAT(streamed(metrics), ContainsSubstring("area under the ROC curve 0.7500"));
}

TEST_CASE("regression has errors instead of an accuracy", "[metrics]") {
  Network<double> net{Layers<double>{1}.add(Dense{2}), MeanSquaredError{}, Sgd{}};
  net.layers()[0].parameters()[0].set(Matrix<double>::Ones(2, 1));
  net.layers()[0].parameters()[1].set(Matrix<double>::Zero(2, 1));
  Matrix<double> x(1, 2);
  x << 1, 2;
  Matrix<double> targets(2, 2);
  targets << 1, 2,  //
      3, 2;
  const Metrics metrics = evaluate(net, Dataset<double>{x, targets});
  CHECK(metrics.loss == Approx(1));  // (4 / 2 + 0) / 2
  CHECK(metrics.confusion.size() == 0);
  CHECK(std::isnan(metrics.accuracy));
  CHECK(metrics.mean_squared_error == Approx(1));
  CHECK(metrics.mean_absolute_error == Approx(0.5));
  CHECK(metrics.r2 == Approx((1 + 1 - 4 / 0.5) / 2));
  CHECK(streamed(metrics) == "2 samples, loss 1, RMSE 1, MAE 0.5, R2 -3.0000");
}

TEST_CASE("metrics stream as a table", "[metrics]") {
  Metrics metrics;
  metrics.samples = 110;
  metrics.loss = 0.123456789;
  metrics.accuracy = 100 / 110.0;
  metrics.confusion = Matrix<Index>::Zero(3, 3);
  metrics.confusion(0, 0) = 100;
  metrics.confusion(0, 1) = 10;
  CHECK(streamed(metrics) ==
        "110 samples, loss 0.12346, accuracy 90.91 %\n"
        "  predicted    0    1    2     recall\n"
        "  true    0  100   10    0    90.91 %\n"
        "  true    1    0    0    0          -\n"
        "  true    2    0    0    0          -");
  metrics.confusion = Matrix<Index>::Zero(21, 21);
  CHECK(streamed(metrics) == "110 samples, loss 0.12346, accuracy 90.91 % (21 classes)");
}

TEST_CASE("evaluate refuses what does not fit the network", "[metrics]") {
  const auto net = affine(Matrix<double>::Identity(2, 2), Vector<double>::Zero(2));
  CHECK_THROWS_AS(evaluate(net, Dataset<double>{Matrix<double>(2, 0), Labels(0)}), DataError);
  CHECK_THROWS_AS(evaluate(net, Dataset<double>{Matrix<double>::Zero(3, 1), Labels::Zero(1)}), ShapeError);
  CHECK_THROWS_AS(evaluate(net, Dataset<double>{Matrix<double>::Zero(2, 1), Labels::Constant(1, 2)}), DataError);
  CHECK_THROWS_AS(evaluate(net, Dataset<double>{Matrix<double>::Zero(2, 1), Matrix<double>::Zero(2, 1)}), ShapeError);
}

TEST_CASE("what is not defined is computed without a floating-point exception, and prints as a dash", "[metrics]") {
  Matrix<Index> confusion = Matrix<Index>::Zero(3, 3);
  confusion(0, 0) = 3;
  confusion(0, 2) = 1;
  const Labels one_class = Labels::Ones(2);
  std::feclearexcept(FE_ALL_EXCEPT);
  const Vector<double> found = recall(confusion);
  const double auc = roc_auc(Eigen::Vector2d{1, 2}, one_class);
  const std::string loss = streamed(FitReport{});
  const double mean = Progress{}.loss();
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
  CHECK(found(0) == 0.75);
  for (const double undefined : {found(1), found(2), auc, mean}) {
    CHECK(std::isnan(undefined));
    CHECK_FALSE(std::signbit(undefined));  // would print as "-nan"
  }
  CHECK(loss == "0 epochs, 0 steps, loss -, 0.0 s: ");
}

TEST_CASE("many classes have an accuracy, and no confusion matrix", "[metrics]") {
  const Index classes = 40000;
  Vector<double> bias = Vector<double>::Zero(classes);
  bias(39999) = 1;
  const auto net = affine(Matrix<double>::Zero(classes, 1), bias);
  Labels y(600);
  for (Index t = 0; t < y.size(); ++t) y(t) = t % 3 == 0 ? 39999 : static_cast<int>(t);
  const Metrics metrics = evaluate(net, Dataset<double>{Matrix<double>::Ones(1, y.size()), y});
  CHECK(metrics.classes == classes);
  CHECK(metrics.confusion.size() == 0);
  CHECK(metrics.accuracy == Approx(1 / 3.0));
  CHECK(metrics.loss == Approx(std::log(classes - 1 + std::exp(1.0)) - 1 / 3.0).epsilon(1e-12));
  CHECK_THAT(streamed(metrics), ContainsSubstring(", accuracy 33.33 % (40000 classes)"));

  const auto largest = affine(Matrix<double>::Zero(Metrics::most_confused, 1), Vector<double>::Zero(1000));
  const Metrics held = evaluate(largest, Dataset<double>{Matrix<double>::Ones(1, 3), Labels::Constant(3, 999)});
  CHECK(held.classes == 1000);
  CHECK(held.confusion(999, 0) == 3);
  CHECK(held.confusion.sum() == 3);
}

TEST_CASE("precision, recall and F1 follow from the confusion matrix", "[metrics]") {
  Matrix<Index> confusion(4, 4);
  confusion << 5, 1, 0, 0,  //
      2, 3, 0, 0,           //
      1, 0, 0, 0,           //
      0, 0, 0, 0;
  const auto near = [](const Vector<double>& values, std::vector<double> expected) {
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const double value = values(static_cast<Index>(k));
      if (std::isnan(expected[k])) {
        CHECK(std::isnan(value));
      } else {
        CHECK(value == Approx(expected[k]));
      }
    }
  };
  near(recall(confusion), {5 / 6.0, 3 / 5.0, 0, NAN});
  near(precision(confusion), {5 / 8.0, 3 / 4.0, NAN, NAN});
  near(f1(confusion), {10 / 14.0, 6 / 9.0, 0, NAN});
  CHECK(macro_f1(confusion) == Approx((10 / 14.0 + 6 / 9.0) / 3));
  CHECK(balanced_accuracy(confusion) == Approx((5 / 6.0 + 3 / 5.0) / 3));
}

TEST_CASE("log loss, calibration and top-k are those of the outputs as logits", "[metrics]") {
  const auto net = affine(Matrix<double>::Identity(3, 3), Vector<double>::Zero(3));
  Matrix<double> x(3, 4);
  x << std::log(6.0), 0, std::log(2.0), 0,  //
      std::log(3.0), std::log(2.0), 0, 0,   //
      0, 0, 0, std::log(8.0);
  // Probabilities .6 .3 .1, .25 .5 .25, .5 .25 .25, .1 .1 .8
  const Metrics metrics = evaluate(net, Dataset<double>{x, Eigen::Vector4i{1, 1, 0, 2}});
  CHECK(metrics.log_loss == Approx(-(std::log(0.3) + 2 * std::log(0.5) + std::log(0.8)) / 4));
  CHECK(metrics.loss == Approx(metrics.log_loss));
  // Bins of 1/15: confidences .5 and .5 share one, both are right; .6 is wrong; .8 is right.
  CHECK(metrics.calibration_error == Approx((2 * 0.5 + 0.6 + 0.2) / 4));
  CHECK(metrics.top(1) == 0.75);
  CHECK(metrics.top(2) == 1);
  CHECK_THROWS_AS(metrics.top(0), OptionError);
  CHECK_THROWS_AS(metrics.top(11), OptionError);
  CHECK(std::isnan(metrics.r2));

  Network<double> one{Layers<double>{1}.add(Dense{1}), Logistic{}, Sgd{}};
  one.layers()[0].parameters()[0].set(Matrix<double>::Ones(1, 1));
  one.layers()[0].parameters()[1].set(Matrix<double>::Zero(1, 1));
  Matrix<double> z(1, 2);
  z << std::log(3.0), -std::log(3.0);  // .75 for label 1, .75 for label 0
  const Metrics binary = evaluate(one, Dataset<double>{z, Eigen::Vector2i{1, 1}});
  CHECK(binary.log_loss == Approx(-(std::log(0.75) + std::log(0.25)) / 2));
  CHECK(binary.calibration_error == Approx(std::abs(1.5 - 1) / 2));
  CHECK(std::isnan(binary.top(1)));
}

TEST_CASE("errors of regression equal their definitions", "[metrics]") {
  Random random{Seed{6}};
  Matrix<double> predicted(2, 50);
  Matrix<double> targets(2, 50);
  for (Index t = 0; t < 50; ++t) {
    for (Index k = 0; k < 2; ++k) {
      targets(k, t) = 1e6 + random.normal();  // far from 0: deviations would be lost in sums of squares
      predicted(k, t) = targets(k, t) + 0.5 * random.normal();
    }
  }
  MetricsSum<double> sum;
  sum.add(ConstView<double>{predicted}.slice(0, 20), Target<double>{ConstView<double>{targets}.slice(0, 20)}, 1);
  sum.add(ConstView<double>{predicted}.slice(20, 30), Target<double>{ConstView<double>{targets}.slice(20, 30)}, 2);
  const Metrics metrics = sum.metrics();
  const Matrix<double> errors = predicted - targets;
  CHECK(metrics.loss == Approx(3 / 50.0));
  CHECK(metrics.mean_squared_error == Approx(errors.squaredNorm() / 100).epsilon(1e-9));
  CHECK(metrics.rmse() == Approx(std::sqrt(errors.squaredNorm() / 100)).epsilon(1e-9));
  CHECK(metrics.mean_absolute_error == Approx(errors.cwiseAbs().sum() / 100).epsilon(1e-9));
  double r2 = 0;
  for (Index k = 0; k < 2; ++k) {
    const Vector<double> row = targets.row(k).transpose();
    r2 += (1 - errors.row(k).squaredNorm() / (row.array() - row.mean()).square().sum()) / 2;
  }
  CHECK(metrics.r2 == Approx(r2).epsilon(1e-9));
  CHECK(std::isnan(metrics.accuracy));
  // An output that is constant has no share of a variance.
  targets.row(1).setConstant(3);
  MetricsSum<double> half;
  half.add(predicted, Target<double>{ConstView<double>{targets}}, 0);
  CHECK(half.metrics().r2 ==
        Approx(1 - errors.row(0).squaredNorm() / (targets.row(0).array() - targets.row(0).mean()).square().sum())
            .epsilon(1e-9));
}

TEST_CASE("evaluate takes any source, pass after pass", "[metrics]") {
  const auto net = affine(Matrix<double>::Identity(2, 2), Vector<double>::Zero(2));
  Random random{Seed{4}};
  Matrix<double> x(2, 3000);
  Labels y(3000);
  for (Index t = 0; t < 3000; ++t) {
    y(t) = static_cast<int>(random.below(2));
    x.col(t) << random.normal(), random.normal() + y(t);
  }
  const Dataset<double> data{x, y};
  const Metrics expected = evaluate(net, data);
  Batches<double> batches{data, {70, Seed{2}}};
  for (int pass = 0; pass < 2; ++pass) {
    batches.next();
    const Metrics metrics = evaluate(net, batches);
    CHECK(metrics.samples == 3000);
    CHECK(metrics.loss == Approx(expected.loss).epsilon(1e-12));
    CHECK(metrics.accuracy == expected.accuracy);
    CHECK(metrics.confusion == expected.confusion);
    CHECK(metrics.log_loss == Approx(expected.log_loss).epsilon(1e-12));
    CHECK(metrics.calibration_error == Approx(expected.calibration_error).epsilon(1e-9));
    CHECK(std::abs(metrics.auc - expected.auc) < 1e-4);
  }
  const Dataset<double> none{Matrix<double>(2, 0), Labels(0)};
  Batches<double> empty{none, {}};
  CHECK_THROWS_WITH(evaluate(net, empty), "evaluate: expected at least 1 sample, got none from the data set");
}

TEST_CASE("the area under the ROC curve of counts is that of rounded scores", "[metrics]") {
  RocCounts counts;
  CHECK(std::isnan(counts.area()));
  for (const double score : {double{-INFINITY}, -2.0, -1e-30, 0.0}) counts.observe(score, false);
  CHECK(std::isnan(counts.area()));
  for (const double score : {-0.0, 1e-30, 1.0, double{INFINITY}}) counts.observe(score, true);
  CHECK(counts.area() == (16 - 0.5) / 16);  // the two zeros tie
  counts.observe(NAN, true);
  CHECK(std::isnan(counts.area()));
}

TEST_CASE("several labels a sample are counted", "[metrics]") {
  Matrix<double> scores(3, 4);
  Matrix<double> targets(3, 4);
  scores << 1, 0, 1, 1,  //
      0, 1, 1, 0,        //
      0, 0, 0, 0;
  targets << 1, 0, 0, 1,  //
      0, 1, 1, 1,         //
      0, 0, 0, 0;
  MultiLabelCounts counts;
  counts.add(scores.leftCols(1), targets.leftCols(1));
  counts.add(scores.rightCols(3), targets.rightCols(3));
  CHECK(counts.samples() == 4);
  CHECK(counts.exact_match() == 0.5);
  CHECK(counts.hamming_loss() == Approx(2 / 12.0));
  CHECK(counts.recall()(0) == 1);
  CHECK(counts.recall()(1) == Approx(2 / 3.0));
  CHECK(counts.precision()(0) == Approx(2 / 3.0));
  CHECK(counts.precision()(1) == 1);
  CHECK(std::isnan(counts.f1()(2)));
  CHECK(counts.micro_f1() == Approx(8 / 10.0));
  CHECK(counts.macro_f1() == Approx(0.8));
  CHECK_THROWS_AS(counts.add(scores.topRows(2), targets.topRows(2)), ShapeError);
  targets(1, 2) = 0.5;
  CHECK_THROWS_WITH(counts.add(scores, targets), "MultiLabelCounts: sample 2: expected targets of 0 or 1, got 0.5");
  CHECK(counts.samples() == 4);
}
