#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/kernels/window.hpp"
#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// A convolution of images (a cross-correlation, as everywhere in the field): each output channel is the sum over all
/// input channels of a kernel slid over the planes, plus a bias.
struct Conv2d {
  static constexpr const char* name = "Conv2d";

  template <class Scalar>
  class Layer;

  Index outputs = 1;   ///< channels; 1 to 65535
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
/// The products read images laid out so that the positions of a register tile's rows follow each other (ShiftedImage):
/// nothing is copied for each value that the kernel covers.
template <class Scalar>
class Conv2d::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Conv2d;
  static constexpr LayerTraits layer_traits{Role::map, false, true};

  Layer(const Conv2d& config, Shape input)
      : config_{config},
        window_{input, config.kernel, config.stride, config.padding},
        height_{rows_together(window_)},
        width_{width_together(window_)},
        image_{window_, height_, width_},
        output_{window_.output(config.outputs)} {
    if (config.outputs < 1 || config.outputs > most_outputs) {
      throw OptionError("outputs must be 1 to " + detail::text(most_outputs) + ", got " + detail::text(config.outputs));
    }
    const Index addressed = (Index{1} << 31) / (window_.area() * config.outputs);
    channels_ = std::clamp<Index>(std::min(image_room / image_.channel_size(), addressed), 1, input.channels);
    const Index in_parts = part_columns(4) / window_.area() + 2;
    offsets_ = image_.offsets(std::min(input.channels, std::max(channels_, in_parts)));
    offsets_.resize(offsets_.size() + Dots::rights);
    for (Index r = 0; r < config.kernel.height; ++r) {
      for (Index c = 0; c < channels_; ++c) {
        for (Index s = 0; s < config.kernel.width; ++s) {
          const Index k = c * window_.area() + r * config.kernel.width + s;
          in_weight_.push_back(static_cast<std::int32_t>(k * config.outputs));
          in_image_.push_back(offsets_[std::size_t(k)]);
        }
      }
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
  Shape output() const override { return output_; }

  void initialize(Random& random) override {
    const auto fill = [&](Index parameter) {
      altmin::initialize(this->parameters_[static_cast<std::size_t>(parameter)].values(), config_.initialization,
                         window_.depth(), config_.outputs * window_.area(), random);
    };
    fill(0);
    if (!config_.bias) return;
    this->parameters_[1].values().setZero();
    if (config_.initialization == Initialization::pytorch) fill(1);
  }

  LoweredShape lowered_shape() const override { return {window_.depth(), window_.positions()}; }
  void lower(const Worker<Scalar>& worker, const Point<Scalar>& at, View<Scalar> a) const override {
    for_each_sample(worker, at.x.cols(), [&](Index t, Scalar* memory) {
      for_each_part(at.x, t, memory, [&](const Part& part) {
        for (Index p = 0; p < part.positions; ++p) {
          Scalar* const column = a.address(part.channel * window_.area(), t * window_.positions() + part.position + p);
          for (Index k = 0; k < part.channels * window_.area(); ++k) column[k] = memory[offsets_[std::size_t(k)] + p];
        }
      });
    });
  }
  void lower_output(const Worker<Scalar>& worker, ConstView<Scalar> dy, View<Scalar> r) const override {
    const Index positions = window_.positions();
    worker.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        const ConstView<Scalar> planes{dy.address(0, t), positions, config_.outputs, positions};
        r.slice(t * positions, positions) = planes.transpose();
      }
    });
  }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    convolve(worker, at.x, at.y, config_.bias);
  }

  void difference(const Worker<Scalar>& worker, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    convolve(worker, dx, dy, false);
  }

  /// Goes through the kernel a row of all channels after the other: those of neighbouring rows overlap, and a processor
  /// waits for what it has just written.
  void backward(const Worker<Scalar>& worker, const Point<Scalar>&, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    for_each_sample(worker, dy.cols(), [&](Index t, Scalar* memory) {
      Scalar* const slopes = memory + room / 2;
      View<Scalar>{dx}.col(t).setZero();
      for_each_part([&](const Part& part) {
        const Scalar* const weights = weight().data() + part.channel * window_.area() * config_.outputs;
        const Index line = channels_ * window_.kernel().width;                         // values in a row of the kernel
        const Index lines = part.channels == channels_ ? window_.kernel().height : 1;  // in one product
        std::fill_n(memory, part.channels * image_.channel_size(), Scalar(0));
        for_each_tile(config_.outputs, room / 2 / Tile::rows, [&](Index o, Index depth) {
          for_each_tile(part.positions, tile_rows(part.positions), [&](Index p, Index rows) {
            const LeftPanel panel =
                slope_panel(dy.address(o * window_.positions(), t), part.position + p, rows, depth, slopes);
            for (Index r = 0; r < window_.kernel().height; r += lines) {
              const std::size_t first = std::size_t(r * line);
              Tile::multiply(panel, detail::ScatteredRightColumns<Scalar>{weights + o, in_weight_.data() + first},
                             depth, rows, lines * part.channels * window_.kernel().width,
                             detail::ScatteredOutput<Scalar>{memory + p, in_image_.data() + first});
            }
          });
        });
        image_.add_back(memory, part.channels, part.top, part.part, dx.address(first_pixel(part.channel), t));
      });
    });
  }

  void gradient(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const override {
    const Index size = gradients[0].size() + (config_.bias ? config_.outputs : 0);
    // Sums over some samples each, if there is memory for them: of the calling thread's, which does not multiply now.
    const Index groups = size <= ThreadMemory::rows * ThreadMemory::depth / 3 && at.x.cols() >= 4 ? 4 : 1;
    const detail::Partition samples = detail::Partition::shared(at.x.cols(), (at.x.cols() + groups - 1) / groups, 1);
    const detail::Partition columns = detail::Partition::shared(window_.depth(), part_columns(groups), Tile::columns);
    const auto sum = [&](Index parameter, Index group) {
      const View<Scalar>& own = gradients[parameter];
      if (group == 0) return own;
      Scalar* const others = worker.packing().left() + (group - 1) * size;
      return View<Scalar>{parameter == 0 ? others : others + gradients[0].size(), own.rows(), own.cols(), own.rows()};
    };
    worker.parallel_for_leaves(columns.count * samples.count, [&](Index i, const Worker<Scalar>& own) {
      const Index group = i / columns.count;
      const Index part = i % columns.count;
      const Index first = samples.first(group);
      const Index count = samples.size(group);
      correlate(at.x.slice(first, count), dy.slice(first, count), sum(0, group), columns.first(part),
                columns.size(part), own.packing().leaf());
      if (part == 0 && config_.bias) add_up(dy.slice(first, count), sum(1, group));
    });
    for (Index group = 1; group < samples.count; ++group) {
      for (Index parameter = 0; parameter < gradients.size(); ++parameter) {
        gradients[parameter] += sum(parameter, group);
      }
    }
  }

 private:
  using Tile = detail::RegisterTile<Scalar>;
  using LeftPanel = detail::LeftPanel<Scalar>;
  using Dots = detail::DotTile<Scalar>;

  using ThreadMemory = detail::ThreadMemory<Scalar>;

  static constexpr Index most_outputs = 65535;
  static constexpr Index room = ThreadMemory::room;
  static constexpr Index image_room = room / 8;  // of what is laid out at a time, where that is more than one channel

  const Matrix<Scalar>& weight() const { return this->parameters_[0].value(); }

  Index first_pixel(Index channel) const { return channel * window_.input().height * window_.input().width; }

  /// Rows of positions that are dealt with together: as many as there is room for what they see, at least one.
  static Index rows_together(const detail::Window& window) {
    const auto size = [&](Index height) { return detail::ShiftedImage::channel_size(window, height, window.width()); };
    const Index further = size(2) - size(1);
    return std::min(window.height(), 1 + (std::max(room / 8, size(1)) - size(1)) / further);
  }

  /// Positions of a row that are dealt with together: all, if there is room for what they see, else parts of equal
  /// width. Throws ShapeError if there is no room for what the kernel covers at one position.
  static Index width_together(const detail::Window& window) {
    const auto size = [&](Index width) { return detail::ShiftedImage::channel_size(window, 1, width); };
    if (size(window.width()) <= room / 4) return window.width();
    if (size(1) > room / 4) {
      throw ShapeError("expected a kernel of at most " + detail::text(room / 4) +
                       " values of a channel, rounded up to whole strides of its rows, got " + detail::text(size(1)));
    }
    const Index parts = tile_count(window.width(), std::max<Index>(1, room / 8 / size(1)));
    return tile_count(window.width(), parts);
  }

  /// Columns of the weight whose gradient is found together, by one thread: with few groups of samples, fewer. Half the
  /// room must hold the channels that they see.
  Index part_columns(Index groups) const {
    const Index fitting = (room / 2 / image_.channel_size() - 1) * window_.area();
    return std::clamp<Index>(window_.depth() * groups / 4, 1, fitting);
  }

  /// Calls body(sample, memory) for each sample, in parallel.
  template <class Body>
  void for_each_sample(const Worker<Scalar>& worker, Index samples, Body&& body) const {
    constexpr Index work = Index{1} << 20;  // multiplications, some ten microseconds
    const detail::Partition partition{samples, std::max<Index>(1, work / (window_.depth() * output_.size())), 1};
    worker.parallel_for_leaves(partition.count, [&](Index i, const Worker<Scalar>& own) {
      for (Index t = partition.first(i); t < partition.first(i + 1); ++t) body(t, own.packing().leaf());
    });
  }

  /// Some rows of positions or a part of one, and some input channels, that are dealt with together.
  struct Part {
    Index channel;
    Index channels;
    Index top;
    Index part;       // of each row
    Index position;   // the first one
    Index positions;  // how many
  };

  /// Calls use(part) for each part of a sample, the channels of some rows in turn.
  template <class Use>
  void for_each_part(Use&& use) const {
    for_each_piece([&](Index top, Index part, Index position, Index positions) {
      for_each_tile(window_.input().channels, channels_, [&](Index channel, Index channels) {
        use(Part{channel, channels, top, part, position, positions});
      });
    });
  }

  /// Calls use(top, part, position, positions) for the positions that are dealt with together, in turn: their first
  /// row, which part of each row they are, the number of the first position, and how many they are.
  template <class Use>
  void for_each_piece(Use&& use) const {
    for_each_tile(window_.height(), height_, [&](Index top, Index height) {
      Index part = 0;
      for_each_tile(window_.width(), width_,
                    [&](Index left, Index width) { use(top, part++, top * window_.width() + left, height * width); });
    });
  }

  /// The same for sample t of an input, each part laid out in memory.
  template <class Use>
  void for_each_part(ConstView<Scalar> x, Index t, Scalar* memory, Use&& use) const {
    for_each_part([&](const Part& part) {
      image_.lay_out(x.address(first_pixel(part.channel), t), part.channels, part.top, part.part, memory);
      use(part);
    });
  }

  template <class Use>
  static void for_each_tile(Index length, Index step, Use&& use) {
    for (Index first = 0; first < length; first += step) use(first, std::min(step, length - first));
  }

  static constexpr Index dots = Index{Dots::lefts} * Dots::rights * Dots::lanes;
  static constexpr Index tile_count(Index length, Index tile) { return (length + tile - 1) / tile; }

  /// Rows of the register tiles that cut some positions into equal parts.
  static constexpr Index tile_rows(Index positions) {
    const Index tiles = tile_count(positions, Tile::rows);
    return Tile::whole_packets(tile_count(positions, tiles));
  }

  /// Slopes at some positions, of as many outputs as `depth`, as register tiles read them: where they stand, or packed.
  LeftPanel slope_panel(const Scalar* slopes, Index position, Index rows, Index depth, Scalar* memory) const {
    const Index above = Tile::whole_packets(rows) - rows;
    if (position >= above && !detail::far_apart<Scalar>(window_.positions())) {
      return {slopes + position, window_.positions(), above};
    }
    Tile::pack(slopes + position, 1, window_.positions(), rows, depth, memory);
    return {memory, Tile::rows};
  }

  /// y = the kernels over x, plus the bias if `with_bias`.
  void convolve(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y, bool with_bias) const {
    for_each_sample(worker, x.cols(), [&](Index t, Scalar* memory) {
      for (Index o = 0; with_bias && o < config_.outputs; ++o) {
        std::fill_n(y.address(o * window_.positions(), t), window_.positions(), this->parameters_[1].value()(o));
      }
      for_each_part(x, t, memory, [&](const Part& part) {
        const Scalar* const weights = weight().data() + part.channel * window_.area() * config_.outputs;
        for_each_tile(part.positions, tile_rows(part.positions), [&](Index p, Index rows) {
          Scalar* const out = y.address(part.position + p, t);
          const Index step = window_.positions();
          const bool adds = with_bias || part.channel > 0;
          Tile::multiply(detail::ScatteredLeftPanel<Scalar>{memory + p, offsets_.data()},
                         detail::RightRows<Scalar>{weights, config_.outputs}, part.channels * window_.area(), rows,
                         config_.outputs, {out, step, Scalar(1), adds ? Addend<Scalar>{out, step} : Addend<Scalar>{}});
        });
      });
    });
  }

  /// The derivative of <f(x), dy> by the bias.
  void add_up(ConstView<Scalar> dy, View<Scalar> gradient) const {
    gradient.setZero();
    for (Index t = 0; t < dy.cols(); ++t) {
      const ConstView<Scalar> planes{dy.address(0, t), window_.positions(), config_.outputs, window_.positions()};
      gradient += planes.colwise().sum().transpose();
    }
  }

  /// The columns first .. first + count - 1 of that by the weight.
  void correlate(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                 Scalar* memory) const {
    if (config_.outputs < Tile::lanes && tile_count(count, Dots::rights) * dots <= room / 16 &&
        (config_.outputs + Dots::lefts) * line_length() <= room / 4) {
      correlate_by_lines(x, dy, gradient, first, count, memory);
    } else {
      correlate_by_columns(x, dy, gradient, first, count, memory);
    }
  }

  /// Numbers of an output's line, whole packets.
  Index line_length() const { return Tile::whole_packets(height_ * width_); }

  /// With outputs that fill no packet: each weight's is a sum of dot products, of a line of slopes with one of the
  /// image.
  void correlate_by_lines(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                          Scalar* memory) const {
    Scalar* const lines = memory + room / 2 + Tile::lanes;
    Scalar* const sums = lines + room / 4;
    const Index rows = tile_count(config_.outputs, Dots::lefts);
    const Index columns = tile_count(count, Dots::rights);
    const Channels seen = channels_of(first, count);
    std::fill_n(sums, rows * columns * dots, Scalar(0));
    std::fill_n(lines, (config_.outputs + Dots::lefts) * line_length(), Scalar(0));
    for_each_band(x, dy.cols(), seen, memory, [&](Index t, Index position, Index positions) {
      const Scalar* slopes = dy.address(position, t);
      Index step = window_.positions();
      if (positions % Tile::lanes != 0 || config_.outputs % Dots::lefts != 0) {
        for (Index o = 0; o < config_.outputs; ++o) {
          Scalar* const line = lines + o * line_length();
          std::copy_n(slopes + o * step, positions, line);
          std::fill(line + positions, line + line_length(), Scalar(0));
        }
        // What is read behind the last position must be a number: it is multiplied by 0.
        std::fill_n(memory + seen.count * image_.channel_size(), Tile::lanes, Scalar(0));
        slopes = lines;
        step = line_length();
      }
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < columns; ++j) {
          Dots::add(slopes + i * Dots::lefts * step, step, memory, seen.offsets + j * Dots::rights,
                    Tile::whole_packets(positions), sums + (i * columns + j) * dots);
        }
      }
    });
    for (Index j = 0; j < count; ++j) {
      for (Index o = 0; o < config_.outputs; ++o) {
        const Index tile = o / Dots::lefts * columns + j / Dots::rights;
        const Index place = o % Dots::lefts * Dots::rights + j % Dots::rights;
        gradient(o, first + j) =
            ConstView<Scalar>{sums + tile * dots + place * Dots::lanes, Dots::lanes, 1, Dots::lanes}.sum();
      }
    }
  }

  /// Else products of the slopes at many positions, packed, with what the kernel covers there.
  void correlate_by_columns(ConstView<Scalar> x, ConstView<Scalar> dy, View<Scalar> gradient, Index first, Index count,
                            Scalar* memory) const {
    constexpr Index depth = 256;  // of a product
    Scalar* const packed = memory + room / 2;
    const Channels seen = channels_of(first, count);
    gradient.middleCols(first, count).setZero();
    for_each_band(x, dy.cols(), seen, memory, [&](Index t, Index position, Index positions) {
      for_each_tile(positions, depth, [&](Index p, Index length) {
        for_each_tile(config_.outputs, Tile::rows, [&](Index o, Index rows) {
          Scalar* const out = gradient.address(o, first);
          const Index step = gradient.outerStride();
          Tile::pack(dy.address(o * window_.positions() + position + p, t), window_.positions(), 1, rows, length,
                     packed);
          Tile::multiply(LeftPanel{packed, Tile::rows}, detail::ScatteredRightColumns<Scalar>{memory + p, seen.offsets},
                         length, rows, count, {out, step, Scalar(1), {out, step}});
        });
      });
    });
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

  /// Calls use(t, position, positions) for the rows of positions that are dealt with together, of each sample, with
  /// what they see of some channels in memory.
  template <class Use>
  void for_each_band(ConstView<Scalar> x, Index samples, const Channels& seen, Scalar* memory, Use&& use) const {
    for (Index t = 0; t < samples; ++t) {
      for_each_piece([&](Index top, Index part, Index position, Index positions) {
        image_.lay_out(x.address(first_pixel(seen.first), t), seen.count, top, part, memory);
        use(t, position, positions);
      });
    }
  }

  Conv2d config_;
  detail::Window window_;
  Index height_;  // rows of positions that are dealt with together
  Index width_;   // positions of a row: below all of them, height_ is 1
  detail::ShiftedImage image_;
  Shape output_;
  Index channels_;                     // that are laid out together
  std::vector<std::int32_t> offsets_;  // of their values
  // The same, and where they stand in the weight, by rows of the kernel.
  std::vector<std::int32_t> in_weight_;
  std::vector<std::int32_t> in_image_;
};

}  // namespace altmin
