// Layers of images against loops that say what they do.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/kernels/plain.hpp"
#include "altmin/layers/layers.hpp"
#include "catch.hpp"
#include "probe.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;
using support::roundings;

namespace {

/// What a window meets in an image at each position, see lay_out_plain().
template <class Scalar>
Matrix<Scalar> laid_out(Shape in, const Conv2d& config, const Matrix<Scalar>& images, Index sample) {
  const altmin::detail::Window window{in, config.kernel, config.stride, config.padding};
  return altmin::detail::lay_out_plain(window, images.col(sample).data());
}

template <class Scalar>
Matrix<Scalar> plain_convolution(const Conv2d& config, Shape in, const Matrix<Scalar>& weight,
                                 const Matrix<Scalar>& bias, const Matrix<Scalar>& images) {
  std::vector<Matrix<Scalar>> outputs;
  for (Index t = 0; t < images.cols(); ++t) {
    auto& output = outputs.emplace_back(
        altmin::detail::multiply_plain<Scalar>(weight, laid_out(in, config, images, t)).transpose());
    if (config.bias) output.rowwise() += bias.col(0).transpose();
  }
  Matrix<Scalar> result(outputs[0].size(), images.cols());
  for (Index t = 0; t < images.cols(); ++t) result.col(t) = outputs[static_cast<std::size_t>(t)].reshaped();
  return result;
}

Extent random_extent(Random& random, Index least, Index below) {
  const auto draw = [&] { return least + static_cast<Index>(random.below(static_cast<std::uint32_t>(below - least))); };
  const Index height = draw();
  return {height, draw()};
}

}  // namespace

TEMPLATE_TEST_CASE("a convolution is its definition, whatever its sizes", "[layers]", float, double) {
  Random random{Seed{1}};
  for (int i = 0; i < 48; ++i) {
    Conv2d config{1 + static_cast<Index>(random.below(60))};
    config.kernel = random_extent(random, 1, 6);
    config.stride = random_extent(random, 1, 4);
    config.padding = random_extent(random, 0, std::min(config.kernel.height, config.kernel.width));
    config.bias = i % 2 == 0;
    Shape in{1 + static_cast<Index>(random.below(5)), 5 + static_cast<Index>(random.below(20)),
             5 + static_cast<Index>(random.below(20))};
    if (i % 8 == 7) {  // hardly more than padding
      config.padding = {config.kernel.height - 1, config.kernel.width - 1};
      in.height = 1 + i % 3;
      in.width = 1 + i % 4;
    }
    // More rows than are laid out together, with few outputs and with more; more channels.
    if (i == 40) config = {2, {3, 4}, 1, {0, 1}};
    if (i == 41) config = {17, {4, 5}, {2, 1}, {1, 2}};
    if (i == 42) config = {3, 3, 1, 1};
    if (i == 43) config = {20, {2, 3}, {1, 2}};
    if (i == 40 || i == 41) in = {1, 290, 200};
    if (i == 42 || i == 43) in = {i == 42 ? 45 : 90, 32, 33};
    // Rows of which only a part is laid out at a time, with few outputs and with more.
    if (i == 44) config = {3, {1, 7}, 1, {0, 3}};
    if (i == 45) config = {9, {2, 24}, {1, 3}, {1, 1}};
    if (i == 46) config = {2, {1, 300}, 1, {0, 150}};
    if (i == 47) config = {18, {5, 40}, {2, 7}, {3, 39}};
    if (i == 44 || i == 45) in = {i == 44 ? 2 : 1, 46 - i, 100000};
    if (i == 46 || i == 47) in = {i == 46 ? 1 : 3, i == 46 ? 1 : 4, i == 46 ? 3000 : 10000};
    const double tolerance = (i < 40 ? 1 : 10) * roundings<TestType>();  // sums are longer
    CAPTURE(i, to_string(in), config.outputs, config.kernel.height, config.kernel.width, config.stride.height,
            config.stride.width, config.padding.height, config.padding.width);
    const auto x = random_matrix<TestType>(in.size(), i >= 40 ? 1 + i / 46 : 1 + i % 7, random);
    support::Probe probe{typename Conv2d::Layer<TestType>{config, in}, x};
    const auto parameters = probe.layer.parameters();
    if (config.bias) parameters[1].set(random_matrix<TestType>(config.outputs, 1, random));
    const auto& weight = parameters[0].value();
    const auto bias = config.bias ? parameters[1].value() : Matrix<TestType>{};
    const Shape out = probe.layer.output();
    const auto convolve = [&](const Matrix<TestType>& images) {
      return plain_convolution(config, in, weight, bias, images);
    };
    CHECK(relative_error(probe.forward(x), convolve(x)) < tolerance);
    CHECK(probe.predict(x) == probe.y);

    // <J dx, dy> = <dx, J' dy>, and the same for the parameters.
    const auto dx = random_matrix<TestType>(x.rows(), x.cols(), random);
    const auto dy = random_matrix<TestType>(out.size(), x.cols(), random);
    const Matrix<TestType> none = Matrix<TestType>::Zero(config.outputs, 1);
    const auto along = plain_convolution(config, in, weight, none, dx);
    const auto slope = probe.backward(dy);
    CHECK(slope.cwiseProduct(dx).sum() == Approx(along.cwiseProduct(dy).sum()).epsilon(1e-3));
    const auto gradients = probe.gradients(dy);
    const auto direction = random_matrix<TestType>(weight.rows(), weight.cols(), random);
    const auto by_weight = plain_convolution(config, in, direction, none, x).cwiseProduct(dy).sum();
    CHECK(gradients[0].cwiseProduct(direction).sum() == Approx(by_weight).epsilon(1e-3));
    const auto lowered = probe.lowered_gradient(dy);
    CHECK(relative_error(lowered.leftCols(weight.cols()), gradients[0]) < tolerance);
    if (config.bias) {
      CHECK(gradients[1].sum() == Approx(dy.sum()).epsilon(1e-3));
      CHECK(relative_error(lowered.rightCols(1), gradients[1]) < 3 * tolerance);  // the longest sums
    }
  }
}

TEMPLATE_TEST_CASE("pooling is its definition, whatever its sizes", "[layers]", float, double) {
  Random random{Seed{2}};
  for (int i = 0; i < 20; ++i) {
    const Extent kernel = i == 0 ? Extent{2} : random_extent(random, 1, 5);
    const Extent stride = i == 0 ? Extent{2} : random_extent(random, 1, 4);
    const Shape in{2, 5 + static_cast<Index>(random.below(9)), 5 + static_cast<Index>(random.below(9))};
    const auto x = random_matrix<TestType>(in.size(), 3, random);
    support::Probe largest{MaxPool2d::Layer<TestType>{{kernel, stride}, in}, x};
    support::Probe mean{AvgPool2d::Layer<TestType>{{kernel, stride}, in}, x};
    const Shape out = largest.layer.output();
    REQUIRE(out.height == (in.height - kernel.height) / stride.height + 1);
    REQUIRE(out.width == (in.width - kernel.width) / stride.width + 1);
    Matrix<TestType> maxima(out.size(), 3), means(out.size(), 3);
    const Index area = kernel.height * kernel.width, positions = out.height * out.width;
    for (Index t = 0; t < 3; ++t) {
      const Matrix<TestType> seen = laid_out<TestType>(in, Conv2d{1, kernel, stride, 0}, x, t);
      for (Index c = 0; c < 2; ++c) {
        const auto of_channel = seen.middleRows(c * area, area);
        maxima.col(t).segment(c * positions, positions) = of_channel.colwise().maxCoeff();
        means.col(t).segment(c * positions, positions) = of_channel.colwise().sum() / TestType(area);
      }
    }
    CHECK(largest.y == maxima);
    CHECK(relative_error(mean.y, means) < roundings<TestType>());
  }
}

TEST_CASE("the gradient of max pooling goes to the first maximum", "[layers]") {
  Matrix<double> x(8, 1), dy(2, 1), expected(8, 1);
  x << 1, 3, 5, 5,  //
      3, 0, 5, 2;
  dy << 10, 20;
  expected << 0, 10, 20, 0,  //
      0, 0, 0, 0;
  support::Probe probe{MaxPool2d::Layer<double>{{}, Shape{1, 2, 4}}, x};
  CHECK(probe.backward(dy) == expected);
}

TEST_CASE("batch norm takes a channel's planes together", "[layers]") {
  Random random{Seed{3}};
  const Shape shape{3, 4, 5};
  const Index samples = 6;
  const Matrix<double> x = random_matrix<double>(shape.size(), samples, random, -3, 5);
  // The same numbers with one feature a channel and one sample a pixel.
  const auto by_channel = [&](const Matrix<double>& images) {
    Matrix<double> result(3, 20 * samples);
    for (Index t = 0; t < samples; ++t) {
      for (Index p = 0; p < 20; ++p) {
        for (Index c = 0; c < 3; ++c) result(c, t * 20 + p) = images(c * 20 + p, t);
      }
    }
    return result;
  };
  support::Probe images{BatchNorm::Layer<double>{{}, shape}, x};
  support::Probe features{BatchNorm::Layer<double>{{}, 3}, by_channel(x)};
  CHECK(relative_error(by_channel(images.y), features.y) < 1e-13);
  images.update_statistics();
  features.update_statistics();
  for (const Index i : {0, 1}) {
    CHECK(relative_error(images.layer.statistics()[i].value(), features.layer.statistics()[i].value()) < 1e-13);
  }
  CHECK(relative_error(by_channel(images.predict(x)), features.predict(by_channel(x))) < 1e-13);
  const auto dy = random_matrix<double>(shape.size(), samples, random);
  const auto gradients = images.gradients(dy);
  const auto expected = features.gradients(by_channel(dy));
  CHECK(relative_error(gradients[0], expected[0]) < 1e-13);
  CHECK(relative_error(gradients[1], expected[1]) < 1e-13);
}

TEST_CASE("windows that do not fit are refused, by layer and size", "[layers]") {
  const auto message = [](auto&& add) -> std::string {
    try {
      add();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const Layers<double> image{Shape{3, 8, 8}};
  const auto adding = [&](const auto& config) { return message([&] { Layers<double>{image}.add(config); }); };
  CHECK(adding(Conv2d{4, {9, 3}}) ==
        "layer 0 (Conv2d): expected an input of at least 9 x 3 (height x width), got 8 x 8");
  CHECK(adding(Conv2d{0, 3}) == "layer 0 (Conv2d): outputs must be 1 to 65535, got 0");
  CHECK(adding(Conv2d{4, 0}) == "layer 0 (Conv2d): kernel must be 1 to 4096, got 0");
  CHECK(adding(Conv2d{4, 3, 0}) == "layer 0 (Conv2d): stride must be 1 to 4096, got 0");
  CHECK(adding(Conv2d{4, 3, 1, 3}) == "layer 0 (Conv2d): padding must be 0 to 2, got 3");
  CHECK(adding(MaxPool2d{10}) ==
        "layer 0 (MaxPool2d): expected an input of at least 10 x 10 (height x width), got 8 x 8");
  CHECK(adding(Conv2d{Index{1} << 36, 3}) ==
        "layer 0 (Conv2d): expected fewer than 2^40 outputs, got 68719476736 channels of 6 x 6");
}
