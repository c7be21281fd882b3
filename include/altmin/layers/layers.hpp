#pragma once

#include <iosfwd>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/layers/layer.hpp"

namespace altmin {

/// The layers of a network, from the input up: their parameters can be read, set and frozen.
template <class Scalar_, class... Extra>
class LayerStack {
  static_assert(std::is_same_v<Scalar_, float> || std::is_same_v<Scalar_, double>,
                "altmin: the scalar must be float or double");

 public:
  using Scalar = Scalar_;
  using Layer = AnyLayer<Scalar, Extra...>;

  LayerStack(const LayerStack&) = default;
  LayerStack(LayerStack&&) noexcept = default;
  ~LayerStack() = default;

  Shape input() const { return input_; }
  Shape output() const { return layers_.empty() ? input_ : layers_.back().output(); }

  Index size() const { return static_cast<Index>(layers_.size()); }
  Layer& operator[](Index i) { return layers_[static_cast<std::size_t>(i)]; }
  const Layer& operator[](Index i) const { return layers_[static_cast<std::size_t>(i)]; }
  auto begin() { return layers_.begin(); }
  auto end() { return layers_.end(); }
  auto begin() const { return layers_.begin(); }
  auto end() const { return layers_.end(); }

  /// Number of learned coefficients.
  Index parameter_count() const {
    Index count = 0;
    for (const auto& layer : layers_) {
      for (const auto& parameter : layer.parameters()) count += parameter.value().size();
    }
    return count;
  }

  void initialize(Random& random) {
    for (auto& layer : layers_) layer.initialize(random);
  }

  /// One line a layer: number, kind, output shape, parameters.
  std::string summary() const {
    const auto line = [](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
      const auto cell = [](const std::string& s, std::size_t width) {
        return s + std::string(s.size() < width ? width - s.size() : 1, ' ');
      };
      return cell(a, 4) + cell(b, 14) + cell(c, 16) + d + "\n";
    };
    std::string text = line("", "layer", "output", "parameters") + line("", "input", to_string(input_), "");
    for (Index i = 0; i < size(); ++i) {
      std::string shapes;
      for (const auto& parameter : (*this)[i].parameters()) {
        if (!shapes.empty()) shapes += ", ";
        shapes += std::string(parameter.name()) + " " +
                  detail::shape_text(parameter.value().rows(), parameter.value().cols());
        if (parameter.frozen()) shapes += " (frozen)";
      }
      text += line(detail::text(i), (*this)[i].name(), to_string((*this)[i].output()), shapes);
    }
    return text + "    " + detail::text(parameter_count()) + " parameters";
  }

  friend std::ostream& operator<<(std::ostream& out, const LayerStack& layers) { return out << layers.summary(); }

  friend bool operator==(const LayerStack& a, const LayerStack& b) {
    return a.input_ == b.input_ && a.layers_ == b.layers_;
  }
  friend bool operator!=(const LayerStack& a, const LayerStack& b) { return !(a == b); }

 protected:
  explicit LayerStack(Shape input) : input_{input} {}
  LayerStack& operator=(const LayerStack&) = default;
  LayerStack& operator=(LayerStack&&) noexcept = default;

  Shape input_;
  std::vector<Layer> layers_;
};

/// A stack of layers being built. Sizes are inferred, and checked, as layers are added:
///
///   Layers<float>{784}.add(Dense{500}).add(Relu{}).add(Dense{10})
///
/// Name layers of your own as further template arguments: Layers<float, Swish>.
template <class Scalar, class... Extra>
class Layers : public LayerStack<Scalar, Extra...> {
 public:
  using Stack = LayerStack<Scalar, Extra...>;

  /// `input` is the shape of a sample: a number of features, or channels x height x width.
  explicit Layers(Shape input) : Stack{input} {
    if (input.channels < 1 || input.height < 1 || input.width < 1) {
      throw ShapeError("Layers: the input needs at least 1 feature, got " + to_string(input));
    }
  }

  /// Throws OptionError or ShapeError, naming the layer, if it does not fit the layers below it.
  template <class Config>
  Layers& add(const Config& config) & {
    static_assert(Stack::Layer::Configs::template contain<Config>,
                  "altmin: add() takes a layer of the library, or one named in Layers<Scalar, YourLayer>");
    using Added = typename Config::template Layer<Scalar>;
    const auto where = [&] { return "layer " + detail::text(this->size()) + " (" + Added::name + "): "; };
    try {
      this->layers_.emplace_back(config, this->output());
    } catch (const OptionError& error) {
      throw OptionError(where() + error.what());
    } catch (const ShapeError& error) {
      throw ShapeError(where() + error.what());
    }
    return *this;
  }

  template <class Config>
  Layers&& add(const Config& config) && {
    return std::move(add(config));
  }
};

}  // namespace altmin
