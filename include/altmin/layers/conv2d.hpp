#pragma once

#include <algorithm>
#include <vector>

#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_base.hpp"
#include "altmin/layers/window.hpp"

namespace altmin {

/// A convolution of images (a cross-correlation, as everywhere in the field): each output channel is the sum over all
/// input channels of a kernel slid over the planes, plus a bias.
struct Conv2d {
  template <class Scalar>
  class Layer;

  Index outputs = 1;   ///< channels; at least 1
  Extent kernel = 3;   ///< 1 to 4096 each way
  Extent stride = 1;   ///< 1 to 4096 each way
  Extent padding = 0;  ///< rows and columns of zeros on each side; below the kernel's size
  bool bias = true;    ///< one a channel; starts at 0 (PyTorch's initialization: random)
  Initialization initialization = Initialization::he_uniform;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("outputs", self.outputs...);
    visit("kernel", self.kernel...);
    visit("stride", self.stride...);
    visit("padding", self.padding...);
    visit("bias", self.bias...);
    visit("initialization", self.initialization...);
  }
};

/// `weight` is outputs x (input channels * kernel height * kernel width), its columns in the order of PyTorch's outputs
/// x inputs x height x width; `bias` is outputs x 1.
///
/// All three products are made band by band: what the kernel sees from some rows of positions is gathered into a cache,
/// or scattered from there, on its way into the register tiles.
template <class Scalar>
class Conv2d::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Conv2d;
  static constexpr const char* name = "Conv2d";
  static constexpr Role role = Role::map;

  Layer(const Conv2d& config, Shape input)
      : config_{config}, window_{input, config.kernel, config.stride, config.padding}, output_{1} {
    if (config.outputs < 1) throw OptionError("outputs must be at least 1, got " + detail::text(config.outputs));
    output_ = window_.output(config.outputs);
    if (area() * padded(window_.width()) > band_size) {
      throw ShapeError("expected rows of at most " + detail::text(band_size / area() - 2 * Tile::lanes) +
                       " outputs with this kernel, got " + detail::text(window_.width()));
    }
    for (const auto& shape : parameter_shapes(config, input)) this->parameters_.emplace_back(shape);
  }

  static std::vector<ParameterShape> parameter_shapes(const Conv2d& config, Shape input) {
    const detail::Window window{input, config.kernel, config.stride, config.padding};
    std::vector<ParameterShape> shapes{{"weight",
                                        config.outputs,
                                        window.depth(),
                                        true,
                                        {config.outputs, input.channels, config.kernel.height, config.kernel.width}}};
    if (config.bias) shapes.push_back({"bias", config.outputs, 1});
    return shapes;
  }

  const Conv2d& config() const { return config_; }
  Shape output() const { return output_; }

  void initialize(Random& random) {
    const auto fill = [&](Index parameter) {
      altmin::initialize(this->parameters_[static_cast<std::size_t>(parameter)].values(), config_.initialization,
                         window_.depth(), config_.outputs * area(), random);
    };
    fill(0);
    if (!config_.bias) return;
    this->parameters_[1].values().setZero();
    if (config_.initialization == Initialization::pytorch) fill(1);
  }

  LoweredShape lowered_shape() const { return {window_.depth(), window_.positions()}; }
  void lower(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> a) const {
    for_each_sample(lane, at.x.cols(), [&](Index t, Scalar* memory) {
      for_each_band([&](const Band& band) {
        window_.gather(at.x.address(0, t), band.row, band.rows, band.value, band.values, memory, band.step);
        const ConstView<Scalar> seen{memory, band.positions, band.values, band.step};
        a.block(band.value, t * window_.positions() + band.first, band.values, band.positions) = seen.transpose();
      });
    });
  }
  void lower_output(const Lane<Scalar>& lane, ConstView<Scalar> dy, View<Scalar> r) const {
    const Index positions = window_.positions();
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        const ConstView<Scalar> planes{dy.address(0, t), positions, config_.outputs, positions};
        r.slice(t * positions, positions) = planes.transpose();
      }
    });
  }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const { convolve(lane, at.x, at.y, config_.bias); }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    convolve(lane, dx, dy, false);
    View<Scalar>{to.y} = from.y + dy;
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    for_each_sample(lane, dy.cols(), [&](Index t, Scalar* memory) {
      dx.col(t).setZero();
      Scalar* const slopes = memory + room / 4 * 3;  // at a band's positions, where full packets can be read
      for_each_band([&](const Band& band) {
        const Index most = room / 4 / band.step;
        for (Index o = 0; o < config_.outputs; o += most) {
          const Index count = std::min(most, config_.outputs - o);
          for (Index i = 0; i < count; ++i) {
            std::copy_n(dy.address((o + i) * window_.positions() + band.first, t), band.positions,
                        slopes + i * band.step);
          }
          const Scalar* const weights = weight().data() + band.value * config_.outputs + o;
          multiply_tiles({slopes, band.step}, {weights, 1, config_.outputs}, band.positions, count, band.values,
                         {memory, band.step, Scalar(1), o > 0});
        }
        window_.scatter(memory, band.step, band.row, band.rows, band.value, band.values, dx.address(0, t));
      });
    });
  }

  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    // Each part takes some columns of the weight through all samples: nothing is summed up across threads.
    const detail::Cut parts = detail::Cut::shared(window_.depth(), 64, Tile::columns);
    lane.parallel_for_leaves(parts.count, [&](Index i, const Lane<Scalar>& own) {
      correlate(at.x, dy, gradients[0], parts.first(i), parts.size(i), own.packing().leaf());
    });
    if (!config_.bias) return;
    const Index positions = window_.positions();
    lane.parallel_ranges(config_.outputs, positions * dy.cols(), [&](Index first, Index count) {
      for (Index o = first; o < first + count; ++o) {
        gradients[1](o, 0) = 0;
        for (Index t = 0; t < dy.cols(); ++t) {
          gradients[1](o, 0) += dy.col(t).segment(o * positions, positions).sum();
        }
      }
    });
  }

 private:
  using Tile = detail::RegisterTile<Scalar>;

  static constexpr Index room = detail::PackingBuffer<Scalar>::room;
  static constexpr Index band_size = room / 8;

  /// Some rows of positions, and some of the values that are seen there: of a size that stays in a core's cache.
  struct Band {
    Index row, rows;         // of positions
    Index first, positions;  // the same, counted
    Index value, values;     // seen at each position
    Index step;              // from one value to the next, in memory
  };

  Index area() const { return config_.kernel.height * config_.kernel.width; }
  const Matrix<Scalar>& weight() const { return this->parameters_[0].value(); }

  /// Room for so many positions: full packets, and columns that do not lie a page apart.
  static Index padded(Index positions) {
    constexpr Index lanes = Tile::lanes;
    const Index packets = (positions + lanes - 1) / lanes;
    return (packets % 16 == 0 ? packets + 1 : packets) * lanes;
  }

  /// Calls use(band) for bands that make up all positions and values. With its padding, a band takes up to three times
  /// band_size.
  template <class Use>
  void for_each_band(Use&& use) const {
    const Index channels = std::min(band_size / (area() * padded(window_.width())), window_.input().channels);
    const Index values = channels * area();
    const Index rows = std::clamp<Index>(band_size / values / window_.width(), 1, window_.height());
    for (Index row = 0; row < window_.height(); row += rows) {
      const Index count = std::min(rows, window_.height() - row);
      const Index positions = count * window_.width();
      for (Index value = 0; value < window_.depth(); value += values) {
        use(Band{row, count, row * window_.width(), positions, value, std::min(values, window_.depth() - value),
                 padded(positions)});
      }
    }
  }

  /// Calls body(sample, memory) for each sample, in parallel.
  template <class Body>
  void for_each_sample(const Lane<Scalar>& lane, Index samples, Body&& body) const {
    constexpr Index work = Index{1} << 20;  // multiplications, some ten microseconds
    const detail::Cut cut{samples, std::max<Index>(1, work / (window_.depth() * output_.size())), 1};
    lane.parallel_for_leaves(cut.count, [&](Index i, const Lane<Scalar>& own) {
      for (Index t = cut.first(i); t < cut.first(i + 1); ++t) body(t, own.packing().leaf());
    });
  }

  static void multiply_tiles(const detail::LeftPanel<Scalar>& left, const detail::RightPanel<Scalar>& right, Index rows,
                             Index depth, Index columns, const detail::ProductOutput<Scalar>& out) {
    for (Index i = 0; i < rows; i += Tile::rows) {
      Tile::multiply({left.data + i, left.step}, right, depth, std::min<Index>(Tile::rows, rows - i), columns,
                     out.part(i, 0));
    }
  }

  /// y = the kernels over x, plus the bias where asked.
  void convolve(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y, bool bias) const {
    for_each_sample(lane, x.cols(), [&](Index t, Scalar* memory) {
      if (bias) {
        const Index positions = window_.positions();
        const auto& biases = this->parameters_[1].value();
        for (Index o = 0; o < config_.outputs; ++o) y.col(t).segment(o * positions, positions).setConstant(biases(o));
      }
      for_each_band([&](const Band& band) {
        window_.gather(x.address(0, t), band.row, band.rows, band.value, band.values, memory, band.step);
        const Scalar* const weights = weight().data() + band.value * config_.outputs;
        multiply_tiles({memory, band.step}, {weights, config_.outputs, 1}, band.positions, band.values, config_.outputs,
                       {y.address(band.first, t), window_.positions(), Scalar(1), bias || band.value > 0});
      });
    });
  }

  /// The columns first .. first + count - 1 of the derivative of <f(x), dy> by the weight.
  void correlate(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                 Scalar* memory) const {
    constexpr Index most = 1024;  // positions of a product
    Scalar* const packed = memory + room / 2;
    const Index positions = window_.positions();
    const Index rows = std::clamp<Index>(band_size / count / window_.width(), 1, window_.height());
    gradient.middleCols(first, count).setZero();
    for (Index t = 0; t < x.cols(); ++t) {
      for (Index row = 0; row < window_.height(); row += rows) {
        const Index band = std::min(rows, window_.height() - row) * window_.width();
        const Index step = padded(band);
        window_.gather(x.address(0, t), row, band / window_.width(), first, count, memory, step);
        for (Index p = 0; p < band; p += most) {
          const Index depth = std::min(most, band - p);
          for (Index o = 0; o < config_.outputs; o += Tile::rows) {
            const Index height = std::min<Index>(Tile::rows, config_.outputs - o);
            Tile::pack(dy.address(o * positions + row * window_.width() + p, t), positions, 1, height, depth, packed);
            Tile::multiply({packed, Tile::rows}, {memory + p, 1, step}, depth, height, count,
                           {gradient.address(o, first), gradient.outerStride(), Scalar(1), true});
          }
        }
      }
    }
  }

  Conv2d config_;
  detail::Window window_;
  Shape output_;
};

}  // namespace altmin
