#pragma once

#include <algorithm>
#include <cstdint>
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
/// The products read and write images where they lie, laid out so that the positions of a register tile's rows follow
/// each other (PhasedImage): nothing is copied for each value that the kernel sees.
template <class Scalar>
class Conv2d::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Conv2d;
  static constexpr const char* name = "Conv2d";
  static constexpr Role role = Role::map;

  Layer(const Conv2d& config, Shape input)
      : config_{config},
        window_{input, config.kernel, config.stride, config.padding},
        image_{window_},
        output_{window_.output(config.outputs)} {
    if (config.outputs < 1) throw OptionError("outputs must be at least 1, got " + detail::text(config.outputs));
    if (image_.channel_size() > room / 8) {
      throw ShapeError("expected at most " + detail::text(room / 8) + " pixels a channel, with the padding, got " +
                       detail::text(image_.channel_size()));
    }
    channels_ = std::clamp<Index>(image_room / image_.channel_size(), 1, input.channels);
    const Index in_parts = part_columns(4) / window_.area() + 2;
    offsets_ = image_.offsets(std::min(input.channels, std::max(channels_, in_parts)));
    offsets_.resize(offsets_.size() + Dots::rights);
    outputs_ = std::clamp<Index>(room / 4 / line_length(), 1, config.outputs);
    taps_ = config.stride.width == 1 && outputs_ == config.outputs ? config.kernel.width : 1;
    for (Index s = 0; s < taps_; ++s) {
      for (Index o = 0; o < outputs_; ++o) {
        slope_offsets_.push_back(static_cast<std::int32_t>(o * line_length() + taps_ - 1 - s));
      }
    }
    slope_offsets_.push_back(0);
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
                         window_.depth(), config_.outputs * window_.area(), random);
    };
    fill(0);
    if (!config_.bias) return;
    this->parameters_[1].values().setZero();
    if (config_.initialization == Initialization::pytorch) fill(1);
  }

  LoweredShape lowered_shape() const { return {window_.depth(), window_.positions()}; }
  void lower(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> a) const {
    for_each_sample(lane, at.x.cols(), [&](Index t, Scalar* memory) {
      for_each_chunk([&](Index channel, Index channels) {
        image_.lay_out(pixels(at.x, channel, t), channels, memory);
        for (Index p = 0; p < window_.positions(); ++p) {
          const Scalar* const seen = memory + p / window_.width() * image_.line() + p % window_.width();
          Scalar* const column = a.address(channel * window_.area(), t * window_.positions() + p);
          for (Index k = 0; k < channels * window_.area(); ++k) column[k] = seen[offsets_[std::size_t(k)]];
        }
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

  void difference(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    convolve(lane, dx, dy, false);
  }

  /// What comes down to a row of the kernel's width from all outputs at once is one product.
  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    constexpr Index columns = 64;  // rows of kernels that are dealt with together
    const Index length = image_.length() + taps_ - 1;
    for_each_sample(lane, dy.cols(), [&](Index t, Scalar* memory) {
      Scalar* const slopes = memory + room / 2;
      Scalar* const parts = slopes + room / 4 + line_length();
      for_each_chunk([&](Index channel, Index channels) {
        std::fill_n(memory, channels * image_.channel_size() + Tile::rows, Scalar(0));
        for_each_tile(config_.outputs, outputs_, [&](Index o, Index count) {
          lay_out_slopes(dy, t, o, count, slopes);
          for_each_tile(length, Tile::rows, [&](Index p, Index left) {
            const Index rows = whole_packets(left);
            for_each_tile(channels * window_.area() / taps_, columns, [&](Index k, Index width) {
              const Index first = (channel * window_.area() + k * taps_) * config_.outputs + o;
              Tile::multiply(detail::ScatteredLeftPanel<Scalar>{slopes + p, slope_offsets_.data()},
                             detail::RightColumns<Scalar>{weight().data() + first, taps_ * config_.outputs},
                             taps_ * count, rows, width, {parts, Tile::rows, Scalar(1), false});
              // Not one after the other: those of neighbouring rows overlap, and a processor waits for what it has just
              // written.
              for (Index r = 0; r < config_.kernel.height; ++r) {
                for (Index j = r; j < width; j += config_.kernel.height) {
                  Scalar* const to = memory + p + offsets_[std::size_t((k + j) * taps_)];
                  const Scalar* const from = parts + j * Tile::rows;
                  for (Index n = 0; n < rows; ++n) to[n] += from[n];  // zeros behind the last position
                }
              }
            });
          });
        });
        image_.take_back(memory, channels, dx.address(channel * window_.input().height * window_.input().width, t));
      });
    });
  }

  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    const Index size = gradients[0].size();
    // Sums over some samples each, if there is memory for them: of the calling thread's, which does not multiply now.
    const Index groups = size <= PackingBuffer::rows * PackingBuffer::depth / 3 && at.x.cols() >= 4 ? 4 : 1;
    const detail::Cut samples = detail::Cut::shared(at.x.cols(), (at.x.cols() + groups - 1) / groups, 1);
    const detail::Cut columns = detail::Cut::shared(window_.depth(), part_columns(groups), Tile::columns);
    const auto sum = [&](Index group) {
      Scalar* const others = lane.packing().left();
      return group == 0 ? gradients[0]
                        : View<Scalar>{others + (group - 1) * size, config_.outputs, window_.depth(), config_.outputs};
    };
    lane.parallel_for_leaves(columns.count * samples.count, [&](Index i, const Lane<Scalar>& own) {
      const Index group = i / columns.count;
      const Index part = i % columns.count;
      const Index first = samples.first(group);
      const Index count = samples.size(group);
      correlate(at.x.slice(first, count), dy.slice(first, count), sum(group), columns.first(part), columns.size(part),
                own.packing().leaf());
    });
    for (Index group = 1; group < samples.count; ++group) gradients[0] += sum(group);
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
  using LeftPanel = detail::LeftPanel<Scalar>;
  using Dots = detail::DotTile<Scalar>;

  using PackingBuffer = detail::PackingBuffer<Scalar>;

  static constexpr Index room = PackingBuffer::room;
  static constexpr Index image_room = room / 8;  // of what is laid out at a time, where that is more than one channel

  const Matrix<Scalar>& weight() const { return this->parameters_[0].value(); }

  const Scalar* pixels(ConstView<Scalar> x, Index channel, Index t) const {
    return x.address(channel * window_.input().height * window_.input().width, t);
  }

  /// Columns of the weight whose gradient is found together, by one thread: with few groups of samples, fewer. Half the
  /// room must hold the channels that they see.
  Index part_columns(Index groups) const {
    const Index fitting = (room / 2 / image_.channel_size() - 2) * window_.area();
    return std::clamp<Index>(window_.depth() * groups / 4, 1, fitting);
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

  /// Calls use(first, count) for the channels that are laid out together.
  template <class Use>
  void for_each_chunk(Use&& use) const {
    for_each_tile(window_.input().channels, channels_, use);
  }

  template <class Use>
  static void for_each_tile(Index length, Index step, Use&& use) {
    for (Index first = 0; first < length; first += step) use(first, std::min(step, length - first));
  }

  static constexpr Index dots = Index{Dots::lefts} * Dots::rights * Dots::lanes;
  static constexpr Index tile_count(Index length, Index tile) { return (length + tile - 1) / tile; }
  static constexpr Index whole_packets(Index rows) { return tile_count(rows, Tile::lanes) * Tile::lanes; }

  /// Numbers of an output in line with each other, with room before and behind for what a tile reads there.
  Index line_length() const {
    const Index most = image_.length() + config_.kernel.width - 1;
    return (most + Tile::rows - 1) / Tile::rows * Tile::rows + config_.kernel.width - 1;
  }

  /// All of some outputs of dy, by numbers: a line each, behind taps_ - 1 zeros.
  void lay_out_slopes(ConstView<Scalar> dy, Index t, Index output, Index count, Scalar* lines) const {
    std::fill_n(lines, count * line_length(), Scalar(0));
    for (Index o = 0; o < count; ++o) {
      const Scalar* from = dy.address((output + o) * window_.positions(), t);
      Scalar* to = lines + o * line_length() + taps_ - 1;
      for (Index y = 0; y < window_.height(); ++y, from += window_.width(), to += image_.line()) {
        detail::copy_row(from, window_.width(), to);
      }
    }
  }

  /// y = the kernels over x, plus the bias where asked.
  void convolve(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y, bool with_bias) const {
    for_each_sample(lane, x.cols(), [&](Index t, Scalar* memory) {
      Scalar* const products = memory + room / 2;
      for_each_tile(config_.outputs, outputs_, [&](Index o, Index count) {
        for_each_chunk([&](Index channel, Index channels) {
          image_.lay_out(pixels(x, channel, t), channels, memory);
          const Scalar* const weights = weight().data() + channel * window_.area() * config_.outputs + o;
          for_each_tile(image_.length(), Tile::rows, [&](Index p, Index left) {
            Tile::multiply(detail::ScatteredLeftPanel<Scalar>{memory + p, offsets_.data()},
                           detail::RightRows<Scalar>{weights, config_.outputs}, channels * window_.area(),
                           whole_packets(left), count, {products + p, line_length(), Scalar(1), channel > 0});
          });
        });
        for (Index j = 0; j < count; ++j) {
          const Scalar start = with_bias ? this->parameters_[1].value()(o + j) : Scalar(0);
          const Scalar* from = products + j * line_length();
          Scalar* to = y.address((o + j) * window_.positions(), t);
          for (Index row = 0; row < window_.height(); ++row, from += image_.line(), to += window_.width()) {
            for (Index n = 0; n < window_.width(); ++n) to[n] = start + from[n];
          }
        }
      });
    });
  }

  /// The columns first .. first + count - 1 of the derivative of <f(x), dy> by the weight.
  void correlate(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                 Scalar* memory) const {
    if (config_.outputs < Tile::lanes && tile_count(count, Dots::rights) * dots <= room / 16 &&
        (config_.outputs + Dots::lefts) * line_length() <= room / 4) {
      correlate_by_lines(x, dy, gradient, first, count, memory);
    } else {
      correlate_by_columns(x, dy, gradient, first, count, memory);
    }
  }

  /// With outputs that fill no packet: each weight's is a sum of dot products, of a line of slopes with one of the
  /// image.
  void correlate_by_lines(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                          Scalar* memory) const {
    Scalar* const slopes = memory + room / 2;
    Scalar* const sums = slopes + room / 4;
    const Index rows = tile_count(config_.outputs, Dots::lefts);
    const Index columns = tile_count(count, Dots::rights);
    const Channels seen = channels_of(first, count);
    std::fill_n(sums, rows * columns * dots, Scalar(0));
    for (Index t = 0; t < x.cols(); ++t) {
      image_.lay_out(pixels(x, seen.first, t), seen.count, memory);
      std::fill_n(memory + seen.count * image_.channel_size(), Tile::rows, Scalar(0));
      lay_out_slopes(dy, t, 0, config_.outputs, slopes);
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < columns; ++j) {
          Dots::add(slopes + taps_ - 1 + i * Dots::lefts * line_length(), line_length(), memory,
                    seen.offsets + j * Dots::rights, whole_packets(image_.length()), sums + (i * columns + j) * dots);
        }
      }
    }
    for (Index j = 0; j < count; ++j) {
      for (Index o = 0; o < config_.outputs; ++o) {
        const Index tile = o / Dots::lefts * columns + j / Dots::rights;
        const Index place = o % Dots::lefts * Dots::rights + j % Dots::rights;
        gradient(o, first + j) =
            ConstView<Scalar>{sums + tile * dots + place * Dots::lanes, Dots::lanes, 1, Dots::lanes}.sum();
      }
    }
  }

  /// Else products of the slopes at many positions, packed, with what the kernel sees there.
  void correlate_by_columns(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                            Scalar* memory) const {
    constexpr Index depth = 256;  // of a product
    Scalar* const slopes = memory + room / 2;
    Scalar* const packed = slopes + room / 4;
    const Channels seen = channels_of(first, count);
    gradient.middleCols(first, count).setZero();
    for (Index t = 0; t < x.cols(); ++t) {
      image_.lay_out(pixels(x, seen.first, t), seen.count, memory);
      for_each_tile(config_.outputs, outputs_, [&](Index output, Index together) {
        lay_out_slopes(dy, t, output, together, slopes);
        for_each_tile(image_.length(), depth, [&](Index p, Index length) {
          for_each_tile(together, Tile::rows, [&](Index o, Index rows) {
            Tile::pack(slopes + o * line_length() + taps_ - 1 + p, line_length(), 1, rows, length, packed);
            Tile::multiply(LeftPanel{packed, Tile::rows},
                           detail::ScatteredRightColumns<Scalar>{memory + p, seen.offsets}, length, rows, count,
                           {gradient.address(output + o, first), gradient.outerStride(), Scalar(1), true});
          });
        });
      });
    }
  }

  /// The input channels that some columns of the weight are for.
  struct Channels {
    Index first;
    Index count;
    const std::int32_t* offsets;  // of the columns, from the first channel on
  };

  Channels channels_of(Index first, Index count) const {
    const Index channel = first / window_.area();
    return {channel, (first + count - 1) / window_.area() - channel + 1,
            offsets_.data() + (first - channel * window_.area())};
  }

  Conv2d config_;
  detail::Window window_;
  detail::PhasedImage image_;
  Shape output_;
  Index channels_;                     // that are laid out together
  std::vector<std::int32_t> offsets_;  // of their values
  Index outputs_;                      // that are laid out together
  Index taps_;                         // of a kernel's row that are pulled back together
  std::vector<std::int32_t> slope_offsets_;
};

}  // namespace altmin
